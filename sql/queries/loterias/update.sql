-- $1 banca, $2 loteria, $3 name, $4 active or not, $5 all its rules, or null: they stay.
UPDATE loterias
   SET name = $3, is_active = $4, rules = coalesce($5::jsonb, rules), updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
