-- $1: consumer. $2: events.
SELECT event_id FROM inbox WHERE consumer = $1 AND event_id = ANY ($2::bigint[])
