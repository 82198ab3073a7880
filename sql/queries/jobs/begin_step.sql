-- $1 banca, $2 run, $3 job, $4 how often it could not begin, $5 a test's time.
SELECT period, trigger, day, started_at, was_started, attempts, progress, counts, requested_by, request_id, settings, at
  FROM begin_job_step($1, $2, $3, $4, $5)
