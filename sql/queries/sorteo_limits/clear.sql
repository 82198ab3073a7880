-- $1 banca, $2 sorteo, $3 numbers[] and $4 cents[] that stay as they are.
DELETE FROM sorteo_number_limits
 WHERE banca_id = $1 AND sorteo_id = $2
   AND (number, max_amount_cents) NOT IN (SELECT * FROM unnest($3::smallint[], $4::bigint[]))
