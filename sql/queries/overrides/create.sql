-- $1 banca, $2 id, $3 seller or null, $4 ventana or null, $5 loteria, $6 X in hundredths, $7 and $8 who writes, and as
-- what.
INSERT INTO multiplier_overrides
    (banca_id, id, user_id, ventana_id, loteria_id, x_hundredths, created_by, created_by_role)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::user_role)
