-- What a counter's jugadas would pay is what its live jugadas say: prizes of NUMERO to the cent, stakes of REVENTADO. Of a
-- draw that was sold before that was kept, only once its next sale has counted it. And no number may have to pay more than
-- the books can hold.
WITH kept AS (
    SELECT s.banca_id, s.id AS sorteo_id, s.business_date, 'BANCA'::exposure_scope AS scope, s.banca_id AS scope_id,
           '00000000-0000-0000-0000-000000000000'::uuid AS multiplier_key
      FROM sorteos s
    UNION ALL
    SELECT t.banca_id, t.sorteo_id, s.business_date, t.scope, t.scope_id, t.multiplier_key
      FROM exposure_tracking t JOIN sorteos s ON s.banca_id = t.banca_id AND s.id = t.sorteo_id
), live AS (
    SELECT k.banca_id, k.sorteo_id, k.scope_id, k.multiplier_key, n.number, sum(j.amount_cents) AS amount,
           sum(round(j.amount_cents::numeric * j.multiplier_x_hundredths / 100)) FILTER (WHERE j.type = 'NUMERO') AS payout,
           sum(j.amount_cents) FILTER (WHERE j.type = 'REVENTADO') AS reventado
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
     GROUP BY k.banca_id, k.sorteo_id, k.scope_id, k.multiplier_key, n.number
)
SELECT e.banca_id,
       format('draw %s, %s %s, multiplier %s, number %s: the counter would pay %s, and REVENTADO on %s of %s; the tickets '
              '%s, and on %s of %s', e.sorteo_id, e.scope, e.scope_id, e.multiplier_key, e.number, e.payout_cents,
              e.reventado_cents, e.counted_cents, coalesce(l.payout, 0), coalesce(l.reventado, 0), coalesce(l.amount, 0))
       AS finding
  FROM exposure e
  LEFT JOIN exposure w ON w.banca_id = e.banca_id AND w.sorteo_id = e.sorteo_id AND w.scope_id = e.banca_id
       AND w.multiplier_key = '00000000-0000-0000-0000-000000000000' AND w.number = -1
  LEFT JOIN live l ON l.banca_id = e.banca_id AND l.sorteo_id = e.sorteo_id AND l.scope_id = e.scope_id
       AND l.multiplier_key = e.multiplier_key AND l.number = e.number
 WHERE w.counted_cents = w.amount_cents
   AND (e.payout_cents, e.reventado_cents, e.counted_cents)
       IS DISTINCT FROM (coalesce(l.payout, 0), coalesce(l.reventado, 0), coalesce(l.amount, 0))
UNION ALL
SELECT e.banca_id, format('draw %s, number %s: %s would be paid, and REVENTADO on %s, more than the books can hold',
                          e.sorteo_id, e.number, e.payout_cents, e.reventado_cents)
  FROM exposure e
 WHERE e.scope_id = e.banca_id AND e.multiplier_key = '00000000-0000-0000-0000-000000000000' AND e.number >= 0
   AND greatest(e.amount_cents, e.payout_cents + e.reventado_cents::numeric * 9999) > 4000000000000000000
