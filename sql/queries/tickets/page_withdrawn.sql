-- Where a page of CANCELLED or EXCLUDED tickets is, newest first: as page.sql, and the same parameters.
SELECT t.id, t.business_date, t.sorteo_id, t.sequence
  FROM tickets t
 WHERE t.banca_id = (SELECT $1::uuid)
   AND t.status <> 'ACTIVE'
   AND t.status::text = $5
   AND ($2::uuid IS NULL OR t.vendedor_id = (SELECT $2::uuid))
   AND ($3::uuid IS NULL OR t.ventana_id = (SELECT $3::uuid))
   AND ($4::uuid IS NULL OR t.sorteo_id = (SELECT $4::uuid)
        AND t.business_date = (SELECT s.business_date FROM sorteos s WHERE s.banca_id = $1 AND s.id = $4))
   AND ($6::date IS NULL OR t.business_date = $6)
   AND ($7::uuid IS NULL OR t.id < $7)
 ORDER BY t.id DESC OFFSET $8 LIMIT $9
