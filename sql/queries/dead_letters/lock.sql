-- Whether nobody else carries letters at the moment; held until the end of the transaction.
SELECT pg_try_advisory_xact_lock(hashtext('banca.dead_letters'))
