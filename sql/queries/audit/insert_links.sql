-- Append links, and record their events as done: both or none.
-- $1: banca. $2: consumer. Then parallel arrays, one entry per event, in the order of the chain.
WITH done AS (
    INSERT INTO inbox (consumer, event_id) SELECT $2, event_id FROM unnest($4::bigint[]) AS e (event_id)
)
INSERT INTO audit_chain (banca_id, position, event_id, rows_count, content_hash, previous_hash, hash)
SELECT $1, l.*
  FROM unnest($3::bigint[], $4::bigint[], $5::integer[], $6::bytea[], $7::bytea[], $8::bytea[])
       AS l (position, event_id, rows_count, content_hash, previous_hash, hash)
