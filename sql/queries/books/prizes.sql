-- The prizes of a result are what its draw's live jugadas won by it: none is missing, none too much, each to half a cent.
-- Of a result that is being paid as far as it got, and without what failed (check evaluations tells that); one that was
-- taken back, or failed and is being taken back, says nothing about today's jugadas.
WITH result AS (
    SELECT r.*, s.business_date,
           CASE r.state WHEN 'RUNNING' THEN r.next_sequence - 1 ELSE r.last_sequence END AS paid_to
      FROM sorteo_results r JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
     WHERE r.state <> 'REVERTED' AND NOT (r.state = 'REVERTING' AND r.settled_at IS NULL)
), expected AS (
    SELECT j.banca_id, j.business_date, j.sorteo_id, j.sequence, j.line, r.evaluation, t.vendedor_id, p.x, p.multiplier_id,
           round(j.amount_cents::numeric * p.x / 100) AS amount
      FROM result r
      JOIN jugadas j ON j.banca_id = r.banca_id AND j.business_date = r.business_date AND j.sorteo_id = r.sorteo_id
           AND j.number = r.winning_number AND j.sequence <= r.paid_to AND j.exclusion_id IS NULL
      JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date AND t.sorteo_id = j.sorteo_id
           AND t.sequence = j.sequence AND t.status = 'ACTIVE'
     CROSS JOIN LATERAL (VALUES
           ('NUMERO'::jugada_type, j.multiplier_x_hundredths, j.multiplier_id),
           ('REVENTADO', r.extra_x_hundredths, r.extra_multiplier_id)) AS p (type, x, multiplier_id)
     WHERE p.type = j.type AND p.x > 0
       AND NOT EXISTS (SELECT FROM evaluation_failures f
                        WHERE f.banca_id = r.banca_id AND f.sorteo_id = r.sorteo_id AND f.evaluation = r.evaluation
                          AND f.state = 'RUNNING' AND f.sequence = j.sequence AND f.resolved_at IS NULL)
), paid AS (
    SELECT p.* FROM prizes p
      LEFT JOIN sorteo_results r ON r.banca_id = p.banca_id AND r.sorteo_id = p.sorteo_id AND r.evaluation = p.evaluation
     WHERE r.state IS DISTINCT FROM 'REVERTED' AND (r.state = 'REVERTING' AND r.settled_at IS NULL) IS NOT TRUE
)
SELECT coalesce(e.banca_id, p.banca_id) AS banca_id,
       format('draw %s, ticket %s, line %s: the prize of evaluation %s should be %s cents, is %s',
              coalesce(e.sorteo_id, p.sorteo_id), coalesce(e.sequence, p.sequence), coalesce(e.line, p.line),
              coalesce(e.evaluation, p.evaluation), coalesce(e.amount, 0), coalesce(p.amount_cents, 0)) AS finding
  FROM (SELECT * FROM expected WHERE amount > 0) e
  FULL JOIN paid p ON p.banca_id = e.banca_id AND p.business_date = e.business_date AND p.sorteo_id = e.sorteo_id
       AND p.sequence = e.sequence AND p.line = e.line AND p.evaluation = e.evaluation
 WHERE (e.amount, e.vendedor_id, e.x, e.multiplier_id)
       IS DISTINCT FROM (p.amount_cents, p.vendedor_id, p.x_hundredths, p.multiplier_id)
