-- Prizes are handed out to winners: of each result no more than its prize, and together with what earlier results had left in
-- the winner's hand no more than the prize that stands; nothing is paid past what closed a prize. Of a result that does not
-- stand the cash stays on the ticket (cash_memos). Payments of a ticket are numbered without a gap.
WITH standing AS (
    SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, p.evaluation, sum(p.amount_cents) AS paid,
           max(p.ordinal) AS last
      FROM ticket_payments p WHERE p.reversed_at IS NULL
     GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, p.evaluation
), closing AS (
    -- Which payment closed the prize of which result.
    SELECT p.banca_id, p.business_date, p.ticket_id, p.ordinal,
           coalesce(p.finalized_evaluation, p.evaluation) AS evaluation
      FROM ticket_payments p WHERE p.reversed_at IS NULL AND p.finalized_at IS NOT NULL
    UNION ALL
    SELECT p.banca_id, p.business_date, p.ticket_id, p.ordinal, p.evaluation
      FROM ticket_payments p WHERE p.reversed_at IS NULL AND p.is_final
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
    OR (r.state IN ('DONE', 'REVERTING', 'REVERTED')) IS NOT TRUE
    OR t.id IS DISTINCT FROM s.ticket_id
    OR r.state IN ('DONE', 'REVERTING') AND t.status <> 'ACTIVE'
UNION ALL
-- Payments that count again since a migration may have been made twice.
SELECT s.banca_id, format('ticket %s: %s cents in hand, of these %s of evaluation %s, whose prize is %s', s.ticket_id,
                          m.cash_cents - m.returned_cents, s.paid, s.evaluation, m.prize_cents)
  FROM standing s
  JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.sorteo_id AND r.evaluation = s.evaluation
       AND r.state IN ('DONE', 'REVERTING')
  JOIN cash_memos m ON m.banca_id = s.banca_id AND m.business_date = s.business_date AND m.ticket_id = s.ticket_id
 WHERE m.cash_cents - m.returned_cents > m.prize_cents
   AND NOT EXISTS (SELECT FROM ticket_payments p
                    WHERE p.banca_id = s.banca_id AND p.business_date = s.business_date AND p.ticket_id = s.ticket_id
                      AND p.reinstated_at IS NOT NULL)
UNION ALL
SELECT c.banca_id, format('ticket %s: payment %s of evaluation %s stands after payment %s closed its prize', c.ticket_id,
                          s.last, s.evaluation, c.ordinal)
  FROM closing c
  JOIN standing s ON s.banca_id = c.banca_id AND s.business_date = c.business_date AND s.ticket_id = c.ticket_id
       AND s.evaluation = c.evaluation AND s.last > c.ordinal
UNION ALL
SELECT p.banca_id, format('ticket %s: %s payments, numbered up to %s', p.ticket_id, count(*), max(p.ordinal))
  FROM ticket_payments p
 GROUP BY p.banca_id, p.business_date, p.ticket_id
HAVING count(*) <> max(p.ordinal)
