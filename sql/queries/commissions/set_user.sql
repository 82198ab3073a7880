-- $1 banca, $2 user, $3 policy or null. What says the same is no change.
UPDATE users SET commission_policy = $3, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2 AND commission_policy IS DISTINCT FROM $3
