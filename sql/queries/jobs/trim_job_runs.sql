-- $1 banca, $2 runs that ended before go, $3 rows.
SELECT deleted, is_more FROM trim_job_runs($1, $2, $3)
