-- Nothing is stored of these sellers that nobody was told of: each ticket was acknowledged or is still in doubt, and
-- so was the cancel of each that is cancelled. $1 how many at most.
WITH seller AS (SELECT DISTINCT h.seller FROM history h),
     done AS (
         SELECT h.kind, h.seller, h.key, min(h.sale_key) AS sale_key
           FROM history h
          GROUP BY h.kind, h.seller, h.key
         HAVING bool_or(h.event = 'ok') OR NOT bool_or(h.event = 'refused'))
SELECT format('ticket %s of %s was sold under the key %s, and nobody was told', t.id, t.created_by,
              coalesce(k.key, 'none')) AS finding
  FROM seller
  JOIN tickets t ON t.created_by = seller.seller
  LEFT JOIN idempotency k ON k.banca_id = t.banca_id AND k.business_date = t.business_date
       AND k.sorteo_id = t.sorteo_id AND k.sequence = t.sequence AND k.outcome = 'SOLD'
 WHERE NOT EXISTS (SELECT FROM done d WHERE d.kind = 'SALE' AND d.seller = k.actor_id AND d.key = k.key)
UNION ALL
SELECT format('ticket %s of %s is cancelled, and nobody was told', t.id, t.created_by)
  FROM seller
  JOIN tickets t ON t.created_by = seller.seller AND t.status = 'CANCELLED'
  JOIN idempotency k ON k.banca_id = t.banca_id AND k.business_date = t.business_date
       AND k.sorteo_id = t.sorteo_id AND k.sequence = t.sequence AND k.outcome = 'SOLD'
 WHERE NOT EXISTS (SELECT FROM done d WHERE d.kind = 'CANCEL' AND d.seller = k.actor_id AND d.sale_key = k.key)
 LIMIT $1
