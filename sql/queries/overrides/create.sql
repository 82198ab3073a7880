-- $1 banca, $2 id, $3 seller or null, $4 ventana or null, $5 loteria, $6 X in hundredths.
INSERT INTO multiplier_overrides (banca_id, id, user_id, ventana_id, loteria_id, x_hundredths)
VALUES ($1, $2, $3, $4, $5, $6)
