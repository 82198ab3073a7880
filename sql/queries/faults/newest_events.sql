-- The last events that were committed, done or not. $1: how many at most.
SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox ORDER BY id DESC LIMIT $1
