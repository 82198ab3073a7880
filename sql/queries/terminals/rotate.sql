-- $1 banca, $2 terminal, $3 id of the master key from now on, $4 seconds that the previous key goes on working.
UPDATE terminals
   SET previous_master_key_id = master_key_id, previous_key_version = key_version,
       previous_valid_until = clock_timestamp() + make_interval(secs => $4::integer),
       master_key_id = $3, key_version = key_version + 1, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
RETURNING id, ventana_id, vendedor_id, name, is_active, key_version, previous_valid_until, created_at, master_key_id,
          old.key_version AS former_key_version
