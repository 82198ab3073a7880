-- $1 banca, $2 terminal, $3 whether it may sign.
UPDATE terminals SET is_active = $3, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
RETURNING id, ventana_id, vendedor_id, name, is_active, key_version, previous_valid_until, created_at,
          old.is_active AS was_active
