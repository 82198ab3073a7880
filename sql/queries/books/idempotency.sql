-- One key, one outcome: each ticket was sold under exactly one key and each SOLD or CANCELLED key has its ticket. The key of a
-- sale names the ticket's terminal, or none: then it is from before keys did.
-- Keys go by retention alone (sql/functions/retention.sql): of what is younger than its cut none is missing.
WITH sold AS MATERIALIZED (
    SELECT k.banca_id, k.sorteo_id, k.sequence, count(*) AS keys FROM idempotency k
     WHERE k.outcome = 'SOLD' GROUP BY k.banca_id, k.sorteo_id, k.sequence
)
SELECT t.banca_id, format('ticket %s was sold under %s keys', t.id, coalesce(k.keys, 0)) AS finding
  FROM tickets t
  LEFT JOIN sold k ON k.banca_id = t.banca_id AND k.sorteo_id = t.sorteo_id AND k.sequence = t.sequence
 WHERE k.keys > 1
    OR k.keys IS NULL AND NOT EXISTS (
       SELECT FROM retention_cuts c
        WHERE c.banca_id = t.banca_id AND c.kept = 'idempotency' AND t.created_at < c.before)
UNION ALL
SELECT k.banca_id, format('key %s of %s says %s, its ticket does not', k.key, k.actor_id, k.outcome)
  FROM idempotency k
  LEFT JOIN tickets t ON t.banca_id = k.banca_id AND t.business_date = k.business_date
       AND t.sorteo_id = k.sorteo_id AND t.sequence = k.sequence
 WHERE k.outcome IN ('SOLD', 'CANCELLED', 'RESTORED', 'PAID', 'PAYMENT_REVERSED', 'PAYMENT_FINALIZED')
   AND (t.id IS NULL
        -- Unless its cancel was taken back later.
        OR k.outcome = 'SOLD' AND k.terminal_id <> t.terminal_id
        OR k.outcome = 'CANCELLED' AND t.status <> 'CANCELLED' AND (t.restored_at >= k.created_at) IS NOT TRUE)
