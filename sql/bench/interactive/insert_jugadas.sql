-- $1 banca, $2 business date, $3 sorteo, $4 sequence, then one entry per jugada.
INSERT INTO jugadas (
    banca_id, business_date, sorteo_id, sequence, line, number, type, amount_cents, multiplier_id,
    multiplier_x_hundredths, commission_basis_points, commission_cents, commission_origin, commission_rule_id,
    listero_commission_cents)
SELECT $1, $2, $3, $4, j.line, j.number, j.type::jugada_type, j.amount, j.multiplier, j.x, j.basis_points,
       j.commission, j.origin::commission_origin, j.rule, j.listero
  FROM unnest($5::smallint[], $6::smallint[], $7::text[], $8::bigint[], $9::uuid[], $10::integer[], $11::integer[],
              $12::bigint[], $13::text[], $14::text[], $15::bigint[])
       AS j (line, number, type, amount, multiplier, x, basis_points, commission, origin, rule, listero)
