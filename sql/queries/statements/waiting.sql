-- $1: how many bancas at most.
SELECT * FROM statement_work_waiting($1)
