-- $1 banca, $2 what is older goes, $3 and $4 the last key seen or nulls, $5 keys.
SELECT deleted, last_actor, last_key FROM trim_keys($1, $2, $3, $4, $5)
