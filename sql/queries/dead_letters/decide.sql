-- $1 letter, $2 REPLAYED or DROPPED, $3 who, $4 the user or null, $5 layer, $6 request's id or null.
SELECT decide_dead_letter($1, $2, $3, $4, $5, $6)
