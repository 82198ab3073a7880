-- Every cancel that was acknowledged holds: its ticket is cancelled, or the sale can come no more. $1 how many at most.
SELECT format('cancel %s of sale %s of %s was acknowledged, %s', h.key, h.sale_key, h.seller,
              CASE WHEN c.key IS NULL THEN 'its key is not stored'
                   WHEN t.id IS NULL THEN 'its ticket is not stored'
                   ELSE format('its ticket is %s', t.status) END) AS finding
  FROM history h
  LEFT JOIN idempotency c ON c.actor_id = h.seller AND c.key = h.key AND c.outcome = 'CANCELLED'
  LEFT JOIN tickets t ON t.banca_id = c.banca_id AND t.business_date = c.business_date
       AND t.sorteo_id = c.sorteo_id AND t.sequence = c.sequence
 WHERE h.event = 'ok' AND h.kind = 'CANCEL' AND h.ticket_id IS NOT NULL
   AND (t.id IS DISTINCT FROM h.ticket_id OR t.status <> 'CANCELLED')
UNION ALL
SELECT format('cancel %s said that sale %s of %s had not come; the sale''s key says %s', h.key, h.sale_key, h.seller,
              coalesce(k.outcome::text, 'nothing'))
  FROM history h
  LEFT JOIN idempotency k ON k.actor_id = h.seller AND k.key = h.sale_key
 WHERE h.event = 'ok' AND h.kind = 'CANCEL' AND h.ticket_id IS NULL AND k.outcome IS DISTINCT FROM 'TOMBSTONE'
 LIMIT $1
