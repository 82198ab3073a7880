-- Memos of a banca ($1), the latest draw's day first: $2 seller or null, $3 ventana or null, $4 draw or null, $5 and $6 days
-- or null, $7 whether only those with something open, $8 and $9 day and ticket of the last one seen or null, $10 how many,
-- $11 offset. Without $7 those that never had anything open are passed over.
SELECT m.business_date, m.ticket_id, cash_memo_facts(m) AS facts
  FROM cash_memos m
 WHERE m.banca_id = $1
   AND ($2::uuid IS NULL OR m.vendedor_id = $2)
   AND ($3::uuid IS NULL OR m.ventana_id = $3)
   AND ($4::uuid IS NULL OR m.sorteo_id = $4)
   AND ($5::date IS NULL OR m.business_date >= $5)
   AND ($6::date IS NULL OR m.business_date <= $6)
   AND (m.open_cents > 0
        OR NOT $7 AND EXISTS (SELECT FROM cash_memo_entries e WHERE e.banca_id = $1 AND e.ticket_id = m.ticket_id))
   AND ($8::date IS NULL OR (m.business_date, m.ticket_id) < ($8, $9::uuid))
 ORDER BY m.business_date DESC, m.ticket_id DESC
 LIMIT $10 OFFSET $11
