-- $1 banca, $2 id, $3 ventana, $4 vendedor or null, $5 name, $6 master key's id.
INSERT INTO terminals (banca_id, id, ventana_id, vendedor_id, name, master_key_id)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id, ventana_id, vendedor_id, name, is_active, key_version, previous_valid_until, created_at, master_key_id
