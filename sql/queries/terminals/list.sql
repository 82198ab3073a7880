-- $1 banca, $2 ventana or null, $3 vendedor or null, $4 and $5 the last row seen or nulls, $6 limit, $7 offset.
SELECT id, ventana_id, vendedor_id, name, is_active, key_version, previous_valid_until, created_at
  FROM terminals
 WHERE banca_id = $1
   AND ($2::uuid IS NULL OR ventana_id = $2)
   AND ($3::uuid IS NULL OR vendedor_id = $3)
   AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT $6 OFFSET $7
