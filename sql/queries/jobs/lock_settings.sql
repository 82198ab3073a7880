-- Until the transaction ends nobody else sets this job of the banca. $1 banca, $2 job.
SELECT pg_advisory_xact_lock(hashtext('banca.jobs.settings'), hashtext($1::uuid || $2::text))
