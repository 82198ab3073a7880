-- Events that were published and that some consumer has not done in time: the broker may have lost them. The time
-- doubles with each publication, up to 128 times, so that what cannot be done does not fill the queue. What is parked
-- because it can never be done waits for its operator; where only the retries ran out, time may have mended it.
-- $1: consumers that must have done everything. $2: seconds. $3: how many at most.
SELECT id, banca_id, type, payload::text AS payload, created_at
  FROM outbox o
 WHERE published_at < now() - make_interval(secs => $2)
   AND published_at < now() - make_interval(secs => $2 * 2 ^ least(publish_count - 1, 7))
   AND (SELECT count(*) FROM inbox i WHERE i.event_id = o.id AND i.consumer = ANY ($1::text[]))
       < cardinality($1::text[])
   AND NOT EXISTS (
       SELECT FROM dead_letters d
        WHERE d.event_id = o.id
          AND (d.state = 'DROPPED' OR d.state = 'REPLAYED' AND d.republished_at IS NULL
               OR d.state = 'PARKED' AND d.reason <> 'RETRIES_EXHAUSTED'))
 ORDER BY published_at
 LIMIT $3
   FOR UPDATE OF o SKIP LOCKED
