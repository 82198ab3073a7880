-- A key is answered with one ticket, however often it was sent; and what was sold was not refused as well.
-- Being refused first is no contradiction where nothing was recorded of it (the draw was not open yet). $1 how many at most.
SELECT format('%s %s of %s was answered with %s tickets', h.kind, h.key, h.seller,
              count(DISTINCT (h.ticket_id, h.business_date, h.ordinal, h.sequence, h.total_cents, h.code))) AS finding
  FROM history h
 WHERE h.event = 'ok'
 GROUP BY h.kind, h.seller, h.key
HAVING count(DISTINCT (h.ticket_id, h.business_date, h.ordinal, h.sequence, h.total_cents, h.code)) > 1
UNION ALL
SELECT format('%s %s of %s was done, and refused for good with %s', h.kind, h.key, h.seller, min(r.code))
  FROM history h
  JOIN history r ON r.seller = h.seller AND r.key = h.key AND r.event = 'refused'
 WHERE h.event = 'ok'
   AND r.code IN ('NUMBER_MAXTOTAL_EXCEEDED', 'SORTEO_MAXTOTAL_EXCEEDED', 'INSUFFICIENT_FUNDS', 'SORTEO_CLOSED',
                  'SALES_CUTOFF_REACHED', 'SORTEO_LOCKED', 'TICKET_ALREADY_CANCELLED', 'SALE_WAS_REFUSED',
                  'CANCELLED_BEFORE_SALE')
 GROUP BY h.kind, h.seller, h.key
 LIMIT $1
