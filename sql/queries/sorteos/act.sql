-- $1 banca, $2 sorteo, $3 action, $4–$7 the states it leads from and to, $8 actor or null, $9 layer, $10 reason or null,
-- $11 request's id or null, $12–$14 what a draw that acts by itself concluded it from, or nulls, $15 a test's time.
SELECT outcome, status, is_active, at
  FROM act_on_sorteo($1, $2, $3, $4::sorteo_status[], $5, $6::sorteo_status[], $7, $8, $9, $10, $11, $12, $13, $14, $15)
