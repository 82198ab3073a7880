-- Parallel arrays: $1 bancas, $2 jobs, $3 periods, $4 when due, $5 whether enabled; $6 the time that it was looked at.
SELECT banca_id, id, job, period, state
  FROM request_due_jobs($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6)
