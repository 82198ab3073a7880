-- Excluded lists, the newest first: $1 banca, $2 ventana to see or null, $3 sorteo or null, $4 ventana or null, $5 seller or
-- null, $6 multiplier or null, $7 loteria or null, $8 and $9 business dates or nulls, $10 whether lifted ones too, $11 and
-- $12 the last row seen or nulls, $13 limit, $14 offset.
SELECT e.id, e.sorteo_id, s.name AS sorteo_name, s.loteria_id, s.business_date, s.scheduled_at, e.ventana_id,
       v.name AS ventana_name, e.vendedor_id, u.name AS vendedor_name, e.multiplier_id, m.name AS multiplier_name,
       e.reason, e.tickets_count AS tickets, e.jugadas_count AS jugadas, e.amount_cents AS amount, e.excluded_at,
       e.excluded_by, e.lifted_at, e.lifted_by
  FROM lista_exclusions e
  JOIN sorteos s ON s.banca_id = $1 AND s.id = e.sorteo_id
  JOIN ventanas v ON v.banca_id = $1 AND v.id = e.ventana_id
  LEFT JOIN users u ON u.id = e.vendedor_id
  LEFT JOIN loteria_multipliers m ON m.banca_id = $1 AND m.id = e.multiplier_id
 WHERE e.banca_id = $1
   AND ($2::uuid IS NULL OR e.ventana_id = $2)
   AND ($3::uuid IS NULL OR e.sorteo_id = $3)
   AND ($4::uuid IS NULL OR e.ventana_id = $4)
   AND ($5::uuid IS NULL OR e.vendedor_id = $5)
   AND ($6::uuid IS NULL OR e.multiplier_id = $6)
   AND ($7::uuid IS NULL OR s.loteria_id = $7)
   AND ($8::date IS NULL OR s.business_date >= $8)
   AND ($9::date IS NULL OR s.business_date <= $9)
   AND ($10::boolean OR e.lifted_at IS NULL)
   AND ($11::timestamptz IS NULL OR (e.excluded_at, e.id) < ($11, $12::uuid))
 ORDER BY e.excluded_at DESC, e.id DESC
 LIMIT $13 OFFSET $14
