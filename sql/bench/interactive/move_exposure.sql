-- $1 banca, $2 sorteo, $3 ventana, $4 vendedor, then one entry per jugada: numbers, whether REVENTADO, multipliers, cents,
-- multipliers in hundredths.
INSERT INTO exposure AS e (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents, payout_cents,
                           reventado_cents, counted_cents)
SELECT $1, m.sorteo_id, m.scope, m.scope_id, m.multiplier_key, m.number, m.amount_cents, m.payout_cents,
       m.reventado_cents, m.amount_cents
  FROM exposure_moves($1, ARRAY[$2::uuid], ARRAY[$3::uuid], ARRAY[$4::uuid],
                      array_fill(1, ARRAY[cardinality($5::smallint[])]),
                      $5::smallint[], $6::boolean[], $7::uuid[], $8::bigint[], $9::integer[]) m
ON CONFLICT ON CONSTRAINT exposure_pkey
DO UPDATE SET amount_cents = e.amount_cents + excluded.amount_cents,
              payout_cents = e.payout_cents + excluded.payout_cents,
              reventado_cents = e.reventado_cents + excluded.reventado_cents,
              counted_cents = e.counted_cents + excluded.counted_cents
