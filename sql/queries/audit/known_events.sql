-- Events that are done: the inbox has them, or the outbox has them no more, which forgets only what everybody has done.
-- $1: consumer. $2: events.
SELECT e.event_id
  FROM unnest($2::bigint[]) AS e (event_id)
 WHERE EXISTS (SELECT FROM inbox i WHERE i.consumer = $1 AND i.event_id = e.event_id)
    OR NOT EXISTS (SELECT FROM outbox o WHERE o.id = e.event_id)
