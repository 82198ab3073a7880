-- $1 banca, $2 runs[].
SELECT id, job, period, trigger::text, state::text, due_at, day, attempts, skips, counts, error_type, error_code, error,
       reason, requested_by, requested_at, started_at, finished_at
  FROM job_runs
 WHERE banca_id = $1 AND id = ANY ($2::uuid[])
