-- What all the tickets that won came to, by type: $1–$6 as in winners.sql.
SELECT j.type::text AS type, count(*) AS jugadas, sum(j.amount_cents)::bigint AS staked_cents,
       sum(p.amount_cents)::bigint AS prize_cents, count(DISTINCT p.sequence) AS tickets,
       (SELECT count(DISTINCT q.sequence) FROM prizes q
          JOIN tickets k ON k.banca_id = $1 AND k.business_date = $2 AND k.sorteo_id = $3 AND k.sequence = q.sequence
               AND ($6::uuid IS NULL OR k.ventana_id = $6)
         WHERE q.banca_id = $1 AND q.business_date = $2 AND q.sorteo_id = $3 AND q.evaluation = $4
           AND ($5::uuid IS NULL OR q.vendedor_id = $5)) AS tickets_of_all_types
  FROM prizes p
  JOIN jugadas j ON j.banca_id = $1 AND j.business_date = $2 AND j.sorteo_id = $3 AND j.sequence = p.sequence
       AND j.line = p.line
  JOIN tickets t ON t.banca_id = $1 AND t.business_date = $2 AND t.sorteo_id = $3 AND t.sequence = p.sequence
       AND ($6::uuid IS NULL OR t.ventana_id = $6)
 WHERE p.banca_id = $1 AND p.business_date = $2 AND p.sorteo_id = $3 AND p.evaluation = $4
   AND ($5::uuid IS NULL OR p.vendedor_id = $5)
 GROUP BY j.type
