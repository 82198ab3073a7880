-- $1 username, whatever its case; $2 the new password's hash. Gives the user; no row when there is none.
UPDATE users u SET password_hash = $2, updated_at = clock_timestamp()
 WHERE lower(u.username) = lower($1)
RETURNING u.id, u.username, u.role::text, u.is_active
