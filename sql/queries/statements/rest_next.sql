-- $1 banca, $2 a test's time or null, $3 whether a single request was tried.
SELECT rest_next_statement($1, $2, $3)
