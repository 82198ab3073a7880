-- Of each evaluation a ticket's prizes went to its seller in one transfer, and came back in one if they were taken back.
WITH won AS (
    SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.evaluation, sum(p.amount_cents) AS amount
      FROM prizes p GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.evaluation
), expected AS (
    SELECT w.banca_id, w.business_date, t.id, m.kind, w.evaluation, m.debit, m.credit, m.event_id, w.amount
      FROM won w
      JOIN sorteo_results r ON r.banca_id = w.banca_id AND r.sorteo_id = w.sorteo_id AND r.evaluation = w.evaluation
      JOIN tickets t ON t.banca_id = w.banca_id AND t.business_date = w.business_date AND t.sorteo_id = w.sorteo_id
           AND t.sequence = w.sequence
      JOIN accounts a ON a.banca_id = w.banca_id AND a.kind = 'PRIZES'
     CROSS JOIN LATERAL (VALUES
           ('PRIZE'::transfer_kind, a.id, t.vendedor_id, r.event_id, true),
           ('PRIZE_REVERSAL', t.vendedor_id, a.id, r.revert_event_id,
            r.state = 'REVERTED' OR r.state = 'REVERTING' AND w.sequence < r.next_sequence
            AND NOT EXISTS (SELECT FROM evaluation_failures f
                             WHERE f.banca_id = r.banca_id AND f.sorteo_id = r.sorteo_id
                               AND f.evaluation = r.evaluation AND f.state = 'REVERTING' AND f.sequence = w.sequence
                               AND f.resolved_at IS NULL)))
           AS m (kind, debit, credit, event_id, due)
     WHERE m.due
), moved AS (
    SELECT * FROM transfers WHERE kind IN ('PRIZE', 'PRIZE_REVERSAL')
)
SELECT coalesce(e.banca_id, f.banca_id) AS banca_id,
       format('ticket %s: %s of evaluation %s should be %s cents, is %s', coalesce(e.id, f.reference_id),
              coalesce(e.kind, f.kind), coalesce(e.evaluation, f.ordinal), coalesce(e.amount, 0),
              coalesce(f.amount_cents, 0)) AS finding
  FROM expected e
  FULL JOIN moved f ON f.banca_id = e.banca_id AND f.business_date = e.business_date AND f.reference_id = e.id
       AND f.kind = e.kind AND f.ordinal = e.evaluation
 WHERE (e.amount, e.debit, e.credit, e.event_id)
       IS DISTINCT FROM (f.amount_cents, f.debit_account_id, f.credit_account_id, f.event_id)
