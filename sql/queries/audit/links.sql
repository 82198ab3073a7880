-- A banca's chain in its order, each link with its event's rows as they stand now, and the event itself while the
-- outbox has it. One pass over the banca's trail. $1: banca.
WITH trail AS MATERIALIZED (
    SELECT a.event_id, count(*)::integer AS rows_found,
           sha256(convert_to(string_agg(activity_canonical(a), E'\n' ORDER BY a.line), 'UTF8')) AS rows_hash
      FROM activity_log a
     WHERE a.banca_id = $1
     GROUP BY a.event_id
)
SELECT c.position, c.event_id, c.rows_count, c.content_hash, c.previous_hash, c.hash,
       coalesce(t.rows_found, 0) AS rows_found, audit_link(c.previous_hash, c.content_hash, t.rows_hash) AS recomputed,
       (SELECT sha256(convert_to(o.payload::text, 'UTF8')) FROM outbox o WHERE o.id = c.event_id) AS payload_hash
  FROM audit_chain c
  LEFT JOIN trail t ON t.event_id = c.event_id
 WHERE c.banca_id = $1
 ORDER BY c.position
