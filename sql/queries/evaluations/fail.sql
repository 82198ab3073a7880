-- $3: why the workers give up.
SELECT fail_evaluation($1, $2, $3)
