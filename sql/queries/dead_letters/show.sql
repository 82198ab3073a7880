-- One letter whole, for its operator: $1 the id or its beginning. More than one row: the beginning fits several.
SELECT id, instance, queue, actor, message_id, event_id, reason::text, error, attempts, state::text, payload,
       first_seen_at, last_seen_at, decided_by, decided_at, republished_at
  FROM dead_letters
 WHERE starts_with(id::text, $1)
 ORDER BY id
 LIMIT 2
