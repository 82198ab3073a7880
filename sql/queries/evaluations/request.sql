-- $3, $4: the states that a draw is evaluated from. $5: winning number. $6: multiplier of REVENTADO. $7: outcome code.
-- $8: actor. $9: request id.
SELECT * FROM request_evaluation($1, $2, $3::text[]::sorteo_status[], $4, $5, $6, $7, $8, $9)
