-- $1 banca, $2 and $3 the ventana and the seller who look (null: all is seen), $4 override.
SELECT o.id, CASE WHEN o.user_id IS NULL THEN 'VENTANA' ELSE 'USER' END AS scope,
       coalesce(o.user_id, o.ventana_id) AS scope_id, o.loteria_id, o.multiplier_type,
       o.x_hundredths AS base_multiplier_x, o.is_active, o.created_at, o.created_by, o.created_by_role::text,
       o.updated_at, o.updated_by, o.updated_by_role::text
  FROM multiplier_overrides o
 WHERE o.banca_id = $1 AND o.id = $4
   -- Seen from a place: its own, and those of its sellers (or of the one who asks).
   AND ($2::uuid IS NULL OR o.ventana_id = $2
        OR CASE WHEN $3::uuid IS NOT NULL THEN o.user_id = $3
                ELSE EXISTS (SELECT FROM users u
                              WHERE u.banca_id = o.banca_id AND u.id = o.user_id AND u.ventana_id = $2
                                AND u.role = 'VENDEDOR') END)
