-- $1 banca, $2 days before this one, $3 how many at most, $4 who asked or null.
SELECT settled, skipped, pending FROM settle_statements($1, $2, $3, $4)
