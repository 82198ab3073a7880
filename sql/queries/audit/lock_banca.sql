-- One audit transaction per banca at a time: the chain has one end. $1: banca.
SELECT pg_advisory_xact_lock(hashtext('banca.audit'), hashtext($1::uuid::text))
