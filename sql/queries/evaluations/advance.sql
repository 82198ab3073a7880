-- $3: how many tickets at most.
SELECT * FROM advance_evaluation($1, $2, $3)
