-- Write operations and hash them as they stand then: one row out per event.
-- $1: banca; then parallel arrays, one entry per operation.
WITH written AS (
    INSERT INTO activity_log (
        banca_id, event_id, line, occurred_on, occurred_at, action, actor_id, target_type, target_id, layer,
        request_id, details)
    SELECT $1, o.event_id, o.line, o.occurred_on, o.occurred_at, o.action, o.actor_id, o.target_type, o.target_id,
           o.layer, o.request_id, o.details
      FROM unnest($2::bigint[], $3::integer[], $4::date[], $5::timestamptz[], $6::text[], $7::uuid[], $8::text[],
                  $9::uuid[], $10::text[], $11::text[], $12::jsonb[])
           AS o (event_id, line, occurred_on, occurred_at, action, actor_id, target_type, target_id, layer,
                 request_id, details)
    RETURNING event_id, line, activity_canonical(activity_log) AS canonical
)
SELECT event_id, count(*)::integer AS rows_count,
       sha256(convert_to(string_agg(canonical, E'\n' ORDER BY line), 'UTF8')) AS rows_hash
  FROM written
 GROUP BY event_id
