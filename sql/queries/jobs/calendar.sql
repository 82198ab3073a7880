-- Every active banca, and what it sets of its jobs. $1: a test's time.
SELECT banca_id, since, settings, at FROM job_calendar($1)
