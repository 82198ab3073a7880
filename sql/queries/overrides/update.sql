-- $1 banca, $2 override, $3 X in hundredths, $4 active or not.
UPDATE multiplier_overrides SET x_hundredths = $3, is_active = $4, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2
