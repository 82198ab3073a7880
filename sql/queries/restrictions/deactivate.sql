-- $1 banca, $2 rule, $3 and $4 who writes, and as what.
UPDATE restriction_rules
   SET is_active = false, updated_at = clock_timestamp(), updated_by = $3, updated_by_role = $4::text::user_role
 WHERE banca_id = $1 AND id = $2 AND is_active
