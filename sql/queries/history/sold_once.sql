-- No two keys were acknowledged with the same ticket. $1 how many at most.
SELECT format('ticket %s was acknowledged under %s keys', h.ticket_id, count(DISTINCT (h.seller, h.key))) AS finding
  FROM history h
 WHERE h.event = 'ok' AND h.kind = 'SALE'
 GROUP BY h.ticket_id
HAVING count(DISTINCT (h.seller, h.key)) > 1
 LIMIT $1
