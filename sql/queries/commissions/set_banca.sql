-- $1 banca, $2 policy or null.
UPDATE bancas SET commission_policy = $2 WHERE id = $1
