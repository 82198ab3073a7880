-- $1 banca, $2 multiplier, $3 name, $4 X in hundredths, $5 active or not, $6 the only day or null.
UPDATE loteria_multipliers
   SET name = $3, value_x_hundredths = $4, is_active = $5, applies_to_date = $6, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
