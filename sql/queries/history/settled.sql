-- No operation is left of which its client knows neither that it was done nor that it was not. $1 how many at most.
SELECT format('%s %s of %s has no definite answer', h.kind, h.key, h.seller) AS finding
  FROM history h
 GROUP BY h.kind, h.seller, h.key
HAVING NOT bool_or(h.event IN ('ok', 'refused'))
 LIMIT $1
