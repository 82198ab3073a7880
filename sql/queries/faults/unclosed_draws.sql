-- Of these draws ($1) those that did not close by themselves, once.
SELECT s.id, s.status::text AS status, count(h.ordinal) AS moves
  FROM sorteos s
  LEFT JOIN sorteo_states h ON h.banca_id = s.banca_id AND h.sorteo_id = s.id
 WHERE s.id = ANY ($1::uuid[])
 GROUP BY s.id, s.status
HAVING s.status <> 'CLOSED' OR count(h.ordinal) <> 1 OR count(h.actor_id) <> 0
 ORDER BY s.id
