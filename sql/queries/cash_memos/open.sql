-- What the open memos of entities ($3) of one dimension ($2) of a banca ($1) come to, of draws of any day.
SELECT coalesce(sum(m.open_cents), 0)::bigint
  FROM cash_memos m
 WHERE m.banca_id = $1 AND m.open_cents > 0
   AND CASE $2 WHEN 'VENDEDOR' THEN m.vendedor_id WHEN 'VENTANA' THEN m.ventana_id ELSE m.banca_id END = ANY ($3::uuid[])
