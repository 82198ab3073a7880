-- $1: letters that the broker has confirmed.
UPDATE dead_letters SET republished_at = clock_timestamp() WHERE id = ANY ($1::uuid[])
