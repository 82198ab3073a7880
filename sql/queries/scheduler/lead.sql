-- Whether this transaction leads: one at a time, until it ends, however it ends. Who leads may ask again.
SELECT pg_try_advisory_xact_lock(hashtext('banca.scheduler'))
