-- $1 the jobs that are known, $2 how many runs at most, $3 a test's time.
SELECT banca_id, id, job, state FROM job_runs_to_do($1::text[], $2, $3)
