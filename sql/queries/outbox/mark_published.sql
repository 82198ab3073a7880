-- $1: events that the broker has confirmed.
UPDATE outbox
   SET published_at = clock_timestamp(), publish_count = publish_count + 1
 WHERE id = ANY ($1::bigint[])
