-- What was written off on days ($4 to $5) of entities ($3) of one dimension ($2) of a banca ($1), the earliest first, what was
-- undone too; unless $6, not what was there when the seller's statement began at 0 again on that day.
SELECT e.id, e.posted_on, e.created_at, e.amount_cents, e.reason, e.ticket_id, e.reversed_at, s.business_date,
       s.daily_ordinal, t.sequence
  FROM cash_memo_entries e
  JOIN sorteos s ON s.banca_id = $1 AND s.id = e.sorteo_id
  JOIN cash_memos t ON t.banca_id = $1 AND t.business_date = e.business_date AND t.ticket_id = e.ticket_id
 WHERE e.banca_id = $1 AND e.posted_on BETWEEN $4 AND $5
   AND CASE $2 WHEN 'VENDEDOR' THEN e.vendedor_id WHEN 'VENTANA' THEN e.ventana_id ELSE e.banca_id END = ANY ($3::uuid[])
   AND ($6 OR NOT EXISTS (
       SELECT FROM balance_resets z
        WHERE $2 = 'VENDEDOR' AND z.banca_id = $1 AND z.vendedor_id = e.vendedor_id AND z.business_date = e.posted_on
          AND z.reverted_at IS NULL AND e.created_at < z.at))
 ORDER BY e.created_at, e.id
