-- The oldest events that were never published, locked until they are marked. $1: how many at most.
SELECT id, banca_id, type, payload::text AS payload, created_at
  FROM outbox
 WHERE published_at IS NULL
 ORDER BY id
 LIMIT $1
   FOR UPDATE SKIP LOCKED
