-- $1 state or null, $2 queue or null, $3 and $4 the last row seen or nulls, $5 limit, $6 offset.
SELECT * FROM dead_letters_page($1, $2, $3, $4, $5, $6)
