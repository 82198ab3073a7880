-- $1 banca, $2 draw.
INSERT INTO bench_winners (banca_id, sorteo_id, sequence, line, number, x_hundredths, amount_cents)
SELECT banca_id, sorteo_id, sequence, line, number, multiplier_x_hundredths, amount_cents
  FROM jugadas WHERE banca_id = $1 AND sorteo_id = $2 ORDER BY sequence, line
