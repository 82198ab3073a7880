-- What all the tickets that won came to, by type: $1–$6 as in winners.sql.
SELECT j.type::text AS type, count(*) AS jugadas, capped_cents(sum(j.amount_cents)) AS staked_cents,
       capped_cents(sum(p.amount_cents)) AS prize_cents, count(DISTINCT p.sequence) AS tickets,
       (SELECT count(DISTINCT q.sequence) FROM prizes q
         CROSS JOIN LATERAL find_ticket($1, $2, $3, q.sequence) k
         WHERE ($6::uuid IS NULL OR k.ventana_id = $6) AND q.banca_id = $1 AND q.business_date = $2 AND q.sorteo_id = $3 AND q.evaluation = $4
           AND ($5::uuid IS NULL OR q.vendedor_id = $5)) AS tickets_of_all_types
  FROM prizes p
 CROSS JOIN LATERAL (
      SELECT type, amount_cents FROM jugadas
       WHERE banca_id = $1 AND business_date = $2 AND sorteo_id = $3 AND sequence = p.sequence AND line = p.line
      OFFSET 0) j
 CROSS JOIN LATERAL find_ticket($1, $2, $3, p.sequence) t
 WHERE ($6::uuid IS NULL OR t.ventana_id = $6) AND p.banca_id = $1 AND p.business_date = $2 AND p.sorteo_id = $3 AND p.evaluation = $4
   AND ($5::uuid IS NULL OR p.vendedor_id = $5)
 GROUP BY j.type
