-- $1 banca, $2 job, $3 enabled, $4 schedule, $5 days until settled, $6 batch, $7 days kept, each or null; $8 whether what
-- was due before does not count, $9 who sets it.
SELECT set_job_settings($1, $2, $3, $4, $5, $6, $7, $8, $9)
