-- $1 banca, $2 sorteo, $3 numbers[], $4 cents[]. What clear.sql left is there already.
INSERT INTO sorteo_number_limits (banca_id, sorteo_id, number, max_amount_cents)
SELECT $1, $2, n.number, n.cents FROM unnest($3::smallint[], $4::bigint[]) AS n (number, cents)
ON CONFLICT (banca_id, sorteo_id, number) DO NOTHING
