-- Whose a ticket is, by its id ($2, of a draw on $3 or later) or by the actor's ($4) key of its sale ($5).
SELECT t.vendedor_id FROM tickets t
 WHERE t.banca_id = $1 AND t.id = $2 AND t.business_date >= $3
UNION ALL
SELECT t.vendedor_id
  FROM idempotency k
  JOIN tickets t ON t.banca_id = k.banca_id AND t.business_date = k.business_date AND t.sorteo_id = k.sorteo_id
       AND t.sequence = k.sequence
 WHERE k.banca_id = $1 AND k.actor_id = $4 AND k.key = $5 AND k.outcome = 'SOLD'
 LIMIT 1
