-- $1 banca, $2 id, $3 loteria, $4 name, $5 kind, $6 X in hundredths, $7 the only day or null.
-- No row: there is no such lottery.
INSERT INTO loteria_multipliers (banca_id, id, loteria_id, name, kind, value_x_hundredths, applies_to_date)
SELECT l.banca_id, $2, l.id, $4, $5::text::jugada_type, $6, $7 FROM loterias l WHERE l.banca_id = $1 AND l.id = $3
RETURNING id
