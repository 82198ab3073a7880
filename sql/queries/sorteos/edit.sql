-- $1 banca, $2 sorteo, $3 loteria, $4 name, $5 digits, $6 instant of the draw, $7 opening instant or null, $8 whether a
-- person chose the name.
SELECT edit_sorteo($1, $2, $3, $4, $5, $6, $7, $8)
