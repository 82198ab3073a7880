-- The newest first. $1 banca, $2 and $3 the ventana and the seller who look (null: all is seen); filters, each null
-- when not asked: $4 ventana, $5 seller, $6 number, $7 active or not, $8 loteria, $9 multiplier, $10 kind; $11 and $12
-- the last row seen or nulls, $13 limit, $14 offset.
SELECT r.id, CASE WHEN r.whole_banca THEN r.banca_id END AS banca_id, r.ventana_id, r.user_id, r.number, r.is_auto_date,
       CASE WHEN r.is_auto_date THEN r.auto_date_of END AS auto_date_of,
       r.max_amount_cents AS max_amount, r.max_total_cents AS max_total, r.base_amount_cents AS base_amount,
       r.sales_basis_points AS sales_percentage, r.applies_to_vendedor, r.applies_to_date, r.applies_to_hour,
       r.sales_cutoff_minutes, r.loteria_id, r.multiplier_id, r.message, r.is_active, r.created_at, r.created_by,
       r.created_by_role::text, r.updated_at, r.updated_by, r.updated_by_role::text
  FROM restriction_rules r
 WHERE r.banca_id = $1
   -- Seen from a place: its own rules, those of its sellers (or of the one who asks), and everybody's.
   AND ($2::uuid IS NULL OR r.ventana_id = $2 OR (r.ventana_id IS NULL AND r.user_id IS NULL)
        OR CASE WHEN $3::uuid IS NOT NULL THEN r.user_id = $3
                ELSE EXISTS (SELECT FROM users u
                              WHERE u.banca_id = r.banca_id AND u.id = r.user_id AND u.ventana_id = $2
                                AND u.role = 'VENDEDOR') END)
   AND ($4::uuid IS NULL OR r.ventana_id = $4)
   AND ($5::uuid IS NULL OR r.user_id = $5)
   AND ($6::smallint IS NULL OR r.number = $6)
   AND ($7::boolean IS NULL OR r.is_active = $7)
   AND ($8::uuid IS NULL OR r.loteria_id = $8)
   AND ($9::uuid IS NULL OR r.multiplier_id = $9)
   AND ($10::text IS NULL OR $10 = CASE
           WHEN r.sales_cutoff_minutes IS NOT NULL THEN 'CUTOFF'
           WHEN num_nonnulls(r.max_amount_cents, r.max_total_cents, r.base_amount_cents, r.sales_basis_points) = 0
           THEN 'BLOCK'
           ELSE 'LIMIT' END)
   AND ($11::timestamptz IS NULL OR (r.created_at, r.id) < ($11, $12::uuid))
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $13 OFFSET $14
