-- Copy letters, each once however often it comes. One that was sent again and died again is parked again; one that
-- was dropped stays dropped. $1: instance; then parallel arrays, one entry per letter, no key of a queue twice.
INSERT INTO dead_letters AS d (
    instance, queue, letter_key, actor, message_id, event_id, payload, reason, error, attempts)
SELECT $1, l.queue, l.letter_key, l.actor, l.message_id, l.event_id, l.payload, l.reason::dead_letter_reason, l.error,
       l.attempts
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::text[], $9::text[],
              $10::integer[])
       AS l (queue, letter_key, actor, message_id, event_id, payload, reason, error, attempts)
 ORDER BY l.queue, l.letter_key
ON CONFLICT (queue, letter_key) DO UPDATE
   SET last_seen_at = clock_timestamp(),
       attempts = d.attempts + CASE WHEN d.republished_at IS NULL THEN 0 ELSE excluded.attempts END,
       reason = CASE WHEN d.republished_at IS NULL THEN d.reason ELSE excluded.reason END,
       error = CASE WHEN d.republished_at IS NULL AND d.error <> '' THEN d.error ELSE excluded.error END,
       state = CASE WHEN d.republished_at IS NULL THEN d.state ELSE 'PARKED' END,
       decided_by = CASE WHEN d.republished_at IS NULL THEN d.decided_by END,
       decided_at = CASE WHEN d.republished_at IS NULL THEN d.decided_at END,
       republished_at = NULL
