-- $1 banca, $2 how many requests at most, $3 a test's time or null.
SELECT done, failures FROM recompute_statements($1, $2, $3)
