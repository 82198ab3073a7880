-- Whose a ticket is, by its id ($2, of a draw on $3 or later) or by the key of its sale ($6), which the actor ($4) or the
-- terminal ($5) sent.
SELECT t.vendedor_id FROM find_ticket_by_id($1, $2, $3) t
UNION ALL
SELECT t.vendedor_id
  FROM find_key($1, $4, $5, $6) k
 CROSS JOIN LATERAL find_ticket($1, (k.used).business_date, (k.used).sorteo_id, (k.used).sequence) t
 WHERE (k.used).outcome = 'SOLD' AND NOT k.is_ambiguous
 LIMIT 1
