-- Prizes are handed out to winners, within the prize, and not past what closed it; of a result that does not stand every
-- payment is reversed; while it is taken back, as far as that got. Payments of a ticket are numbered without a gap.
WITH standing AS (
    SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, p.evaluation, sum(p.amount_cents) AS paid,
           max(p.ordinal) AS last, max(p.ordinal) FILTER (WHERE p.is_final OR p.finalized_at IS NOT NULL) AS closed_by
      FROM ticket_payments p WHERE p.reversed_at IS NULL
     GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, p.evaluation
)
SELECT s.banca_id, format('ticket %s: %s cents paid of evaluation %s, its prize is %s, its result %s', s.ticket_id,
                          s.paid, s.evaluation, coalesce(z.prize, 0), coalesce(r.state::text, 'missing')) AS finding
  FROM standing s
  LEFT JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.sorteo_id AND r.evaluation = s.evaluation
  LEFT JOIN tickets t ON t.banca_id = s.banca_id AND t.business_date = s.business_date AND t.sorteo_id = s.sorteo_id
       AND t.sequence = s.sequence
 CROSS JOIN LATERAL (
      SELECT sum(p.amount_cents) AS prize FROM prizes p
       WHERE p.banca_id = s.banca_id AND p.business_date = s.business_date AND p.sorteo_id = s.sorteo_id
         AND p.sequence = s.sequence AND p.evaluation = s.evaluation) z
 WHERE s.paid > coalesce(z.prize, 0)
    OR (r.state = 'DONE' OR r.state = 'REVERTING' AND s.sequence >= r.next_sequence) IS NOT TRUE
    OR s.closed_by < s.last
    OR t.id IS DISTINCT FROM s.ticket_id OR t.status <> 'ACTIVE'
UNION ALL
SELECT p.banca_id, format('ticket %s: %s payments, numbered up to %s', p.ticket_id, count(*), max(p.ordinal))
  FROM ticket_payments p
 GROUP BY p.banca_id, p.business_date, p.ticket_id
HAVING count(*) <> max(p.ordinal)
