-- $1 banca, $2 and $3 the ventana and the seller who look (null: all is seen), $4 ids[].
SELECT r.id, CASE WHEN r.whole_banca THEN r.banca_id END AS banca_id, r.ventana_id, r.user_id, r.number, r.is_auto_date,
       CASE WHEN r.is_auto_date THEN r.auto_date_of END AS auto_date_of,
       r.max_amount_cents AS max_amount, r.max_total_cents AS max_total, r.base_amount_cents AS base_amount,
       r.sales_basis_points AS sales_percentage, r.applies_to_vendedor, r.applies_to_date, r.applies_to_hour,
       r.sales_cutoff_minutes, r.loteria_id, r.multiplier_id, r.message, r.is_active, r.created_at, r.created_by,
       r.created_by_role::text, r.updated_at, r.updated_by, r.updated_by_role::text
  FROM restriction_rules r
 WHERE r.banca_id = $1 AND r.id = ANY ($4)
   -- Seen from a place: its own rules, those of its sellers (or of the one who asks), and everybody's.
   AND ($2::uuid IS NULL OR r.ventana_id = $2 OR (r.ventana_id IS NULL AND r.user_id IS NULL)
        OR CASE WHEN $3::uuid IS NOT NULL THEN r.user_id = $3
                ELSE EXISTS (SELECT FROM users u
                              WHERE u.banca_id = r.banca_id AND u.id = r.user_id AND u.ventana_id = $2
                                AND u.role = 'VENDEDOR') END)
