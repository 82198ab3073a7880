-- The run's state then. $1 banca, $2 run, $3 error's type, $4 its code, $5 its text, $6 attempts at most, $7 the first
-- pause, $8 a test's time.
SELECT note_job_trouble($1, $2, $3, $4, $5, $6, $7, $8)
