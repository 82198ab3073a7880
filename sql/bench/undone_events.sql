-- Events up to $1 that the audit has not recorded.
SELECT count(*) AS events
  FROM outbox o
 WHERE o.id <= $1 AND NOT EXISTS (SELECT FROM inbox i WHERE i.consumer = 'audit' AND i.event_id = o.id)
