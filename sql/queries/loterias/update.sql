-- $1 banca, $2 loteria, $3 name, $4 active or not, $5 all its rules, or null: they stay. What says the same is no change.
UPDATE loterias
   SET name = $3, is_active = $4, rules = coalesce($5::jsonb, rules), updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
   AND (name, is_active, rules) IS DISTINCT FROM ($3, $4, coalesce($5::jsonb, rules))
