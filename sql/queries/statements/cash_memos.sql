-- The memos that are open, of draws of days ($4 to $5) of entities ($3) of one dimension ($2) of a banca ($1).
SELECT m.business_date, m.created_at, cash_memo_facts(m) AS facts
  FROM cash_memos m
 WHERE m.banca_id = $1 AND m.business_date BETWEEN $4 AND $5 AND m.open_cents > 0
   AND CASE $2 WHEN 'VENDEDOR' THEN m.vendedor_id WHEN 'VENTANA' THEN m.ventana_id ELSE m.banca_id END = ANY ($3::uuid[])
 ORDER BY m.created_at, m.ticket_id
