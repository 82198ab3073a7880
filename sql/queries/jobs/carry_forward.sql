-- $1 banca, $2 day, $3 the last entity seen or null, $4 limit.
SELECT created, skipped, last, failures FROM carry_forward($1, $2, $3, $4)
