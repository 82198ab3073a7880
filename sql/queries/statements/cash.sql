-- What stands beside the days ($4 to $5) of entities ($3) of one dimension ($2) of a banca ($1): cash memos that are open, of
-- draws of the day; and what was written off on the day, which is among its prizes: unless $6, not what was there when the
-- seller's statement began at 0 again on that day. No row where there is neither.
SELECT x.entity_id, x.business_date, sum(x.memo_cents)::bigint AS memo_cents,
       sum(x.written_off_cents)::bigint AS written_off_cents
  FROM (SELECT CASE $2 WHEN 'VENDEDOR' THEN m.vendedor_id WHEN 'VENTANA' THEN m.ventana_id ELSE m.banca_id END AS entity_id,
               m.business_date, m.open_cents AS memo_cents, 0 AS written_off_cents
          FROM cash_memos m
         WHERE m.banca_id = $1 AND m.business_date BETWEEN $4 AND $5 AND m.open_cents > 0
        UNION ALL
        SELECT CASE $2 WHEN 'VENDEDOR' THEN e.vendedor_id WHEN 'VENTANA' THEN e.ventana_id ELSE e.banca_id END,
               e.posted_on, 0, e.amount_cents
          FROM cash_memo_entries e
         WHERE e.banca_id = $1 AND e.posted_on BETWEEN $4 AND $5 AND e.reversed_at IS NULL
           AND ($6 OR NOT EXISTS (
               SELECT FROM balance_resets z
                WHERE $2 = 'VENDEDOR' AND z.banca_id = $1 AND z.vendedor_id = e.vendedor_id
                  AND z.business_date = e.posted_on AND z.reverted_at IS NULL AND e.created_at < z.at))) x
 WHERE x.entity_id = ANY ($3::uuid[])
 GROUP BY x.entity_id, x.business_date
