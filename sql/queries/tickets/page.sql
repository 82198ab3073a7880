-- Where a page of tickets is, newest first: $1 banca, $2 vendedor or null, $3 ventana or null, $4 draw or null,
-- $5 status or null, $6 business date or null, $7 before this id or null, $8 offset, $9 how many.
SELECT id, business_date, sorteo_id, sequence
  FROM tickets
 WHERE banca_id = $1
   AND ($2::uuid IS NULL OR vendedor_id = $2)
   AND ($3::uuid IS NULL OR ventana_id = $3)
   AND ($4::uuid IS NULL OR sorteo_id = $4)
   AND ($5::text IS NULL OR status = $5::ticket_status)
   AND ($6::date IS NULL OR business_date = $6)
   AND ($7::uuid IS NULL OR id < $7)
 ORDER BY id DESC OFFSET $8 LIMIT $9
