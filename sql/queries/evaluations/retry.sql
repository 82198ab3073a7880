-- $3: actor. $4: request id.
SELECT retry_evaluation($1, $2, $3, $4) AS outcome
