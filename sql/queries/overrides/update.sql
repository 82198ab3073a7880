-- $1 banca, $2 override, $3 X in hundredths, $4 active or not, $5 and $6 who writes, and as what.
UPDATE multiplier_overrides
   SET x_hundredths = $3, is_active = $4, updated_at = clock_timestamp(), updated_by = $5,
       updated_by_role = $6::text::user_role
 WHERE banca_id = $1 AND id = $2
