-- Each counter of the banca is the live stakes that it stands for.
WITH live AS (
    SELECT j.banca_id, j.sorteo_id, j.number, sum(j.amount_cents) AS amount
      FROM jugadas j
      JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date
           AND t.sorteo_id = j.sorteo_id AND t.sequence = j.sequence AND t.status = 'ACTIVE'
     GROUP BY j.banca_id, j.sorteo_id, j.number
), counter AS (
    SELECT banca_id, sorteo_id, number, amount_cents AS amount FROM exposure
     WHERE scope = 'BANCA' AND scope_id = banca_id AND multiplier_key = '00000000-0000-0000-0000-000000000000'
)
SELECT coalesce(l.banca_id, c.banca_id) AS banca_id,
       format('draw %s, number %s: the counter says %s, the tickets %s', coalesce(l.sorteo_id, c.sorteo_id),
              coalesce(l.number, c.number), coalesce(c.amount, 0), coalesce(l.amount, 0)) AS finding
  FROM live l
  FULL JOIN counter c ON c.banca_id = l.banca_id AND c.sorteo_id = l.sorteo_id AND c.number = l.number
 WHERE coalesce(l.amount, 0) <> coalesce(c.amount, 0)
