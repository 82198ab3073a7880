-- $1 action, $2 actor, $3 and $4 target, $5 before, $6 after, $7 layer, $8 request's id, $9 several targets in place of
-- $4, or null.
SELECT record_activity($1, $2, $3, $4, $5, $6, $7, $8, $9)
