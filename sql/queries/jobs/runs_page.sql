-- The newest first. $1 banca, $2 job, $3 state or null, $4 and $5 the last row seen or nulls, $6 limit, $7 offset.
SELECT id, job, period, trigger::text, state::text, due_at, day, attempts, skips, counts, error_type, error_code, error,
       reason, requested_by, requested_at, started_at, finished_at
  FROM job_runs
 WHERE banca_id = $1 AND job = $2
   AND ($3::text IS NULL OR state = $3::text::job_state)
   AND ($4::timestamptz IS NULL OR (requested_at, id) < ($4, $5::uuid))
 ORDER BY requested_at DESC, id DESC
 LIMIT $6 OFFSET $7
