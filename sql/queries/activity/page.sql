-- A banca's trail, the newest day first and in it the newest event: $1 banca, $2 actor or null, $3 target or null,
-- $4 target's type or null, $5 action or null, $6 from or null, $7 before or null, $8, $9 and $10 the last row seen or
-- nulls, $11 limit, $12 offset. The days of $6 and $7 leave whole partitions out.
SELECT occurred_on, event_id, line, occurred_at, action, actor_id, target_type, target_id, layer, request_id, details
  FROM activity_log
 WHERE banca_id = $1
   AND ($2::uuid IS NULL OR actor_id = $2)
   AND ($3::uuid IS NULL OR target_id = $3)
   AND ($4::text IS NULL OR target_type = $4)
   AND ($5::text IS NULL OR action = $5)
   AND ($6::timestamptz IS NULL
        OR (occurred_at >= $6 AND occurred_on >= ($6::timestamptz AT TIME ZONE 'America/Costa_Rica')::date))
   AND ($7::timestamptz IS NULL
        OR (occurred_at < $7 AND occurred_on <= ($7::timestamptz AT TIME ZONE 'America/Costa_Rica')::date))
   AND ($8::date IS NULL OR (occurred_on, event_id, line) < ($8, $9::bigint, $10::integer))
 ORDER BY occurred_on DESC, event_id DESC, line DESC
 LIMIT $11 OFFSET $12
