-- $3, $4: the states that an evaluation is taken back from. $5: reason. $6: although prizes were handed out. $7: actor.
-- $8: request id.
SELECT * FROM request_revert($1, $2, $3::text[]::sorteo_status[], $4, $5, $6, $7, $8)
