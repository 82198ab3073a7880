-- $1: how many at most.
SELECT * FROM evaluations_under_way($1)
