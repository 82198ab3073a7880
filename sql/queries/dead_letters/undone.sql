-- Those of the events that the consumer has not done. $1: consumer. $2: events.
SELECT o.id
  FROM outbox o
 WHERE o.id = ANY ($2::bigint[])
   AND NOT EXISTS (SELECT FROM inbox i WHERE i.consumer = $1 AND i.event_id = o.id)
