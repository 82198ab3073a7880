-- $1 banca, $2 rule.
UPDATE restriction_rules SET is_active = false, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2 AND is_active
