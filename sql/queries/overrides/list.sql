-- The newest first. $1 banca, $2 and $3 the ventana and the seller who look (null: all is seen); filters, each null
-- when not asked: $4 whose, $5 loteria, $6 active or not; $7 and $8 the last row seen or nulls, $9 limit, $10 offset.
SELECT o.id, CASE WHEN o.user_id IS NULL THEN 'VENTANA' ELSE 'USER' END AS scope,
       coalesce(o.user_id, o.ventana_id) AS scope_id, o.loteria_id, o.multiplier_type,
       o.x_hundredths AS base_multiplier_x, o.is_active, o.created_at, o.created_by, o.created_by_role::text,
       o.updated_at, o.updated_by, o.updated_by_role::text
  FROM multiplier_overrides o
 WHERE o.banca_id = $1
   -- Seen from a place: its own, and those of its sellers (or of the one who asks).
   AND ($2::uuid IS NULL OR o.ventana_id = $2
        OR CASE WHEN $3::uuid IS NOT NULL THEN o.user_id = $3
                ELSE EXISTS (SELECT FROM users u
                              WHERE u.banca_id = o.banca_id AND u.id = o.user_id AND u.ventana_id = $2
                                AND u.role = 'VENDEDOR') END)
   AND ($4::uuid IS NULL OR o.user_id = $4 OR o.ventana_id = $4)
   AND ($5::uuid IS NULL OR o.loteria_id = $5)
   AND ($6::boolean IS NULL OR o.is_active = $6)
   AND ($7::timestamptz IS NULL OR (o.created_at, o.id) < ($7, $8::uuid))
 ORDER BY o.created_at DESC, o.id DESC
 LIMIT $9 OFFSET $10
