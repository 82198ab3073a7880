-- The user of a name ($1).
SELECT id FROM users WHERE username = $1
