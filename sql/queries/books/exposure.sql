-- Each counter is the live stakes that it stands for: the banca's own of each number and of the draw (−1), and every
-- counter that is tracked.
WITH kept AS (
    SELECT s.banca_id, s.id AS sorteo_id, s.business_date, 'BANCA'::exposure_scope AS scope, s.banca_id AS scope_id,
           '00000000-0000-0000-0000-000000000000'::uuid AS multiplier_key
      FROM sorteos s
    UNION ALL
    SELECT t.banca_id, t.sorteo_id, s.business_date, t.scope, t.scope_id, t.multiplier_key
      FROM exposure_tracking t JOIN sorteos s ON s.banca_id = t.banca_id AND s.id = t.sorteo_id
), live AS (
    SELECT k.banca_id, k.sorteo_id, k.scope, k.scope_id, k.multiplier_key, n.number, sum(j.amount_cents) AS amount
      FROM kept k
      JOIN tickets t ON t.banca_id = k.banca_id AND t.business_date = k.business_date AND t.sorteo_id = k.sorteo_id
           AND t.status = 'ACTIVE'
           AND k.scope_id = CASE k.scope WHEN 'BANCA' THEN t.banca_id WHEN 'VENTANA' THEN t.ventana_id
                                         ELSE t.vendedor_id END
      JOIN jugadas j ON j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
           AND j.sequence = t.sequence AND j.exclusion_id IS NULL
           AND (k.multiplier_key = '00000000-0000-0000-0000-000000000000' OR k.multiplier_key = j.multiplier_id
                OR k.multiplier_key = '00000000-0000-0000-0000-000000000001' AND j.type = 'REVENTADO')
     CROSS JOIN LATERAL (VALUES (j.number), (-1::smallint)) AS n (number)
     GROUP BY k.banca_id, k.sorteo_id, k.scope, k.scope_id, k.multiplier_key, n.number
)
SELECT banca_id,
       format('draw %s, %s %s, multiplier %s, number %s: the counter says %s, the tickets %s',
              sorteo_id, scope, scope_id,
              multiplier_key, number,
              coalesce(c.amount_cents, 0), coalesce(l.amount, 0)) AS finding
  FROM live l
  FULL JOIN exposure c USING (banca_id, sorteo_id, scope, scope_id, multiplier_key, number)
 WHERE coalesce(l.amount, 0) <> coalesce(c.amount_cents, 0)
