-- $1 banca, $2 loteria, $3 digits, $4 opening instant or null, $5 cents of each number or null, $6 whether active,
-- $7 actor, $8 request's id, $9 ids[], $10 instants[], $11 names[], $12 made by hand, $13 names chosen by a person.
SELECT is_new FROM create_sorteos($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ORDER BY pos
