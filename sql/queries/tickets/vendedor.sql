-- Whose a ticket is, by its id ($2, of a draw on $3 or later) or by the actor's ($4) key of its sale ($5).
SELECT t.vendedor_id FROM find_ticket_by_id($1, $2, $3) t
UNION ALL
SELECT t.vendedor_id
  FROM idempotency k
 CROSS JOIN LATERAL find_ticket($1, k.business_date, k.sorteo_id, k.sequence) t
 WHERE k.banca_id = $1 AND k.actor_id = $4 AND k.key = $5 AND k.outcome = 'SOLD'
 LIMIT 1
