-- One key, one outcome: each ticket was sold under exactly one key and each SOLD or CANCELLED key has its ticket.
-- Keys are kept for 72 hours and until the draw is settled; older tickets may have lost theirs.
SELECT t.banca_id, format('ticket %s was sold under %s keys', t.id, count(k.key)) AS finding
  FROM tickets t
  LEFT JOIN idempotency k ON k.banca_id = t.banca_id AND k.sorteo_id = t.sorteo_id AND k.sequence = t.sequence
       AND k.outcome = 'SOLD'
 WHERE t.created_at > now() - interval '72 hours'
 GROUP BY t.banca_id, t.id
HAVING count(k.key) <> 1
UNION ALL
SELECT k.banca_id, format('key %s of %s says %s, its ticket does not', k.key, k.actor_id, k.outcome)
  FROM idempotency k
  LEFT JOIN tickets t ON t.banca_id = k.banca_id AND t.business_date = k.business_date
       AND t.sorteo_id = k.sorteo_id AND t.sequence = k.sequence
 WHERE k.outcome IN ('SOLD', 'CANCELLED', 'RESTORED', 'PAID', 'PAYMENT_REVERSED', 'PAYMENT_FINALIZED')
   AND (t.id IS NULL
        -- Unless its cancel was taken back later.
        OR k.outcome = 'CANCELLED' AND t.status <> 'CANCELLED' AND (t.restored_at >= k.created_at) IS NOT TRUE)
