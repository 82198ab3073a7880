-- $1 banca, $2 multiplier, $3 name, $4 X in hundredths, $5 active or not, $6 the only day or null. What says the same is
-- no change.
UPDATE loteria_multipliers
   SET name = $3, value_x_hundredths = $4, is_active = $5, applies_to_date = $6, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
   AND (name, value_x_hundredths, is_active, applies_to_date) IS DISTINCT FROM ($3, $4, $5, $6)
