-- $1 banca, $2 days before this one, $3 how many at most, $4 who asked or null, $5 what an earlier call gave as last.
SELECT settled, skipped, pending, failures, last FROM settle_statements($1, $2, $3, $4, $5)
