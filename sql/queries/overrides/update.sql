-- $1 banca, $2 override, $3 X in hundredths or null, $4 active or not or null: what is null stays; $5 and $6 who
-- writes, and as what. What says the same is no change.
UPDATE multiplier_overrides
   SET x_hundredths = coalesce($3, x_hundredths), is_active = coalesce($4, is_active), updated_at = clock_timestamp(),
       updated_by = $5, updated_by_role = $6::text::user_role
 WHERE banca_id = $1 AND id = $2
   AND (x_hundredths, is_active) IS DISTINCT FROM (coalesce($3, x_hundredths), coalesce($4, is_active))
