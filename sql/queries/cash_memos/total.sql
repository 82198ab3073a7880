-- How many memos are open, and what they come to: $1–$6 as in page.sql.
SELECT count(*) AS count, coalesce(sum(m.open_cents), 0)::bigint AS open_cents
  FROM cash_memos m
 WHERE m.banca_id = $1 AND m.open_cents > 0
   AND ($2::uuid IS NULL OR m.vendedor_id = $2)
   AND ($3::uuid IS NULL OR m.ventana_id = $3)
   AND ($4::uuid IS NULL OR m.sorteo_id = $4)
   AND ($5::date IS NULL OR m.business_date >= $5)
   AND ($6::date IS NULL OR m.business_date <= $6)
