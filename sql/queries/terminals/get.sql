-- $1 banca, $2 terminal, $3 the only ventana whose terminals are seen, or null.
SELECT id, ventana_id, vendedor_id, name, is_active, key_version, previous_valid_until, created_at
  FROM terminals
 WHERE banca_id = $1 AND id = $2 AND ($3::uuid IS NULL OR ventana_id = $3)
