-- The closings of a month ($2) of a banca ($1), by name: $3 dimension, $4 one entity or null, $5 ventana whose sellers are
-- meant or null.
SELECT k.entity_id, k.opening_cents, k.sales_cents, k.payouts_cents, k.commission_cents, k.corrections_cents,
       k.paid_cents, k.collected_cents, k.ticket_count, k.movement_cents, k.reset_cents, k.closing_cents, k.closed_at,
       k.updated_at, coalesce(nullif(u.name, ''), u.username, v.name, b.name) AS name, coalesce(u.code, v.code, b.code) AS code
  FROM monthly_closings k
  LEFT JOIN users u ON $3 = 'VENDEDOR' AND u.banca_id = $1 AND u.id = k.entity_id
  LEFT JOIN ventanas v ON $3 = 'VENTANA' AND v.banca_id = $1 AND v.id = k.entity_id
  LEFT JOIN bancas b ON $3 = 'BANCA' AND b.id = k.entity_id
 WHERE k.banca_id = $1 AND k.month = $2 AND k.dimension = $3::text::statement_dimension
   AND ($4::uuid IS NULL OR k.entity_id = $4)
   AND ($5::uuid IS NULL OR u.ventana_id = $5)
 ORDER BY name, k.entity_id
