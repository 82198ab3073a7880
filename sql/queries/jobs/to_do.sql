-- $1 how many at most, $2 a test's time.
SELECT banca_id, id, job, state FROM job_runs_to_do($1, $2)
