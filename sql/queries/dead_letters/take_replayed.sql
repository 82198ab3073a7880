-- Letters to send again, locked until they are marked; of an event what the outbox has of it now. $1: how many at most.
SELECT d.id AS letter_id, d.queue, d.actor, d.payload AS letter, d.event_id, o.id, o.banca_id, o.type,
       o.payload::text AS payload, o.created_at
  FROM dead_letters d
  LEFT JOIN outbox o ON o.id = d.event_id
 WHERE d.state = 'REPLAYED' AND d.republished_at IS NULL
 ORDER BY d.decided_at
 LIMIT $1
   FOR UPDATE OF d SKIP LOCKED
