-- What may be sold of single numbers of a draw: $1 banca, $2 sorteo, $3 numbers[], $4 cents of each.
INSERT INTO sorteo_number_limits (banca_id, sorteo_id, number, max_amount_cents)
SELECT $1, $2, n.number, $4 FROM unnest($3::smallint[]) AS n (number)
