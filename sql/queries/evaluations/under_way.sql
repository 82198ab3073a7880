-- $1: how many at most. $2: draws that come last.
SELECT * FROM evaluations_under_way($1, $2)
