-- Every sale that was acknowledged is stored under its key, as it was answered. $1 how many at most.
SELECT format('sale %s of %s was acknowledged, %s', h.key, h.seller,
              CASE WHEN k.key IS NULL THEN 'its key is not stored'
                   WHEN k.outcome <> 'SOLD' THEN format('its key says %s', k.outcome)
                   WHEN t.id IS NULL THEN 'its ticket is not stored'
                   ELSE 'its ticket is another' END) AS finding
  FROM history h
  LEFT JOIN idempotency k ON k.actor_id = h.seller AND k.key = h.key
  LEFT JOIN tickets t ON t.banca_id = k.banca_id AND t.business_date = k.business_date
       AND t.sorteo_id = k.sorteo_id AND t.sequence = k.sequence
  LEFT JOIN sorteos s ON s.banca_id = t.banca_id AND s.id = t.sorteo_id
 WHERE h.event = 'ok' AND h.kind = 'SALE'
   AND (k.outcome IS DISTINCT FROM 'SOLD'
        OR (t.id, t.business_date, s.daily_ordinal::integer, t.sequence, t.total_cents, t.created_by)
           IS DISTINCT FROM (h.ticket_id, h.business_date, h.ordinal, h.sequence, h.total_cents, h.seller))
 LIMIT $1
