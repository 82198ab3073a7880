-- When it was saved. $1 banca, $2 run, $3 state, $4 progress, $5 counts, $6 reason or null, $7 the rest before the next
-- step, $8 a test's time.
SELECT save_job_step($1, $2, $3, $4, $5, $6, $7, $8)
