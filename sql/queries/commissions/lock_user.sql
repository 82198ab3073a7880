-- $1 banca, $2 user. Before the banca's lock: a login that stores a better hash takes them in this order too.
SELECT 1 FROM users WHERE banca_id = $1 AND id = $2 FOR NO KEY UPDATE
