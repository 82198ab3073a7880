-- $1 banca, $2 a test's time or null.
SELECT rest_next_statement($1, $2)
