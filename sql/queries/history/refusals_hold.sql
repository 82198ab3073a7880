-- Nothing was done under a key that was refused, and refused only. $1 how many at most.
SELECT format('%s %s of %s was refused with %s, its key says %s', h.kind, h.key, h.seller, h.code, k.outcome) AS finding
  FROM history h
  JOIN idempotency k ON k.actor_id = h.seller AND k.key = h.key
 WHERE h.event = 'refused' AND k.outcome IN ('SOLD', 'CANCELLED', 'CANCELLED_UNSOLD')
   AND NOT EXISTS (SELECT FROM history o WHERE o.seller = h.seller AND o.key = h.key AND o.event = 'ok')
 LIMIT $1
