-- An event with rows in the trail that no link covers; null when there is none. $1: banca.
SELECT a.event_id
  FROM activity_log a
 WHERE a.banca_id = $1
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.banca_id = $1 AND c.event_id = a.event_id)
 ORDER BY a.event_id
 LIMIT 1
