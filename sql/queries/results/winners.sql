-- The tickets that won, in their order: $1 banca, $2 business date, $3 draw, $4 evaluation, $5 seller or null, $6 ventana
-- or null, $7 after this sequence or null, $8 how many, $9 offset.
-- jugadas: [line, type, number, cents staked, multiplier, x, cents won].
SELECT t.id, t.sequence, t.ventana_id, t.vendedor_id, u.name AS vendedor_name, t.cliente_nombre, w.jugadas,
       w.prize_cents, c.paid_cents, c.is_waived AS is_final
  FROM (SELECT p.sequence, capped_cents(sum(p.amount_cents)) AS prize_cents,
               json_agg(json_build_array(p.line, j.type, j.number, j.amount_cents, p.multiplier_id, p.x_hundredths,
                                         p.amount_cents) ORDER BY p.line) AS jugadas
          FROM prizes p
         CROSS JOIN LATERAL (
              SELECT type, number, amount_cents FROM jugadas
               WHERE banca_id = $1 AND business_date = $2 AND sorteo_id = $3 AND sequence = p.sequence AND line = p.line
              OFFSET 0) j
         WHERE p.banca_id = $1 AND p.business_date = $2 AND p.sorteo_id = $3 AND p.evaluation = $4
           AND ($5::uuid IS NULL OR p.vendedor_id = $5)
           AND ($7::bigint IS NULL OR p.sequence > $7)
         GROUP BY p.sequence) w
 CROSS JOIN LATERAL find_ticket($1, $2, $3, w.sequence) t
  LEFT JOIN users u ON u.banca_id = $1 AND u.id = t.vendedor_id
 CROSS JOIN LATERAL ticket_cash($1, $2, $3, t.sequence, t.id, $4) c
 WHERE $6::uuid IS NULL OR t.ventana_id = $6
 ORDER BY w.sequence
 LIMIT $8 OFFSET $9
