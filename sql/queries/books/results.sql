-- A result's ledger adds up, and its draw is in the state that it says.
SELECT r.banca_id, format('draw %s, evaluation %s: the ledger says %s out to %s tickets, its prizes %s to %s', r.sorteo_id,
                          r.evaluation, r.total_out_cents, r.winning_tickets, coalesce(p.amount, 0),
                          coalesce(p.tickets, 0)) AS finding
  FROM sorteo_results r
  LEFT JOIN (
       SELECT p.banca_id, p.sorteo_id, p.evaluation, sum(p.amount_cents) AS amount,
              count(DISTINCT p.sequence) AS tickets
         FROM prizes p GROUP BY p.banca_id, p.sorteo_id, p.evaluation) p
    ON p.banca_id = r.banca_id AND p.sorteo_id = r.sorteo_id AND p.evaluation = r.evaluation
 WHERE (r.total_out_cents, r.winning_tickets) IS DISTINCT FROM (coalesce(p.amount, 0), coalesce(p.tickets, 0))
UNION ALL
SELECT r.banca_id, format('draw %s, evaluation %s: the ledger says %s in, its live stakes %s', r.sorteo_id, r.evaluation,
                          r.total_in_cents, coalesce(j.amount, 0))
  FROM sorteo_results r
  LEFT JOIN (
       SELECT t.banca_id, t.sorteo_id, sum(j.amount_cents) AS amount
         FROM tickets t
         JOIN jugadas j ON j.banca_id = t.banca_id AND j.business_date = t.business_date
              AND j.sorteo_id = t.sorteo_id AND j.sequence = t.sequence AND j.exclusion_id IS NULL
        WHERE t.status = 'ACTIVE' GROUP BY t.banca_id, t.sorteo_id) j
    ON j.banca_id = r.banca_id AND j.sorteo_id = r.sorteo_id
 WHERE r.state IN ('DONE', 'REVERTING') AND r.total_in_cents <> coalesce(j.amount, 0)
UNION ALL
SELECT r.banca_id, format('draw %s is %s, its result %s', r.sorteo_id, s.status, r.state)
  FROM sorteo_results r JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
 WHERE r.state = 'RUNNING' AND s.status <> 'CLOSED'
    OR r.state IN ('DONE', 'REVERTING')
       AND s.status <> CASE WHEN r.settled_at IS NULL THEN 'CLOSED'::sorteo_status ELSE 'EVALUATED' END
UNION ALL
SELECT r.banca_id, format('draw %s sold %s tickets, its result is about %s', r.sorteo_id, s.last_sequence, r.last_sequence)
  FROM sorteo_results r JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
 WHERE r.state <> 'REVERTED' AND r.last_sequence <> s.last_sequence
    OR r.state IN ('DONE', 'REVERTED') AND r.next_sequence <= r.last_sequence
UNION ALL
SELECT h.banca_id, format('draw %s was evaluated without a result', h.sorteo_id)
  FROM sorteo_states h
 WHERE h.to_status = 'EVALUATED' AND h.from_status <> 'EVALUATED'
   AND NOT EXISTS (SELECT FROM sorteo_results r
                    WHERE r.banca_id = h.banca_id AND r.sorteo_id = h.sorteo_id AND r.settled_at = h.at)
