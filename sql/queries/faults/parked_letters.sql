-- Dead letters that nobody has decided about.
SELECT id, queue, event_id, reason::text AS reason, error, payload FROM dead_letters WHERE state = 'PARKED' ORDER BY id
