-- $1 banca, $2 actor, $3 key.
SELECT outcome, fingerprint FROM idempotency WHERE banca_id = $1 AND actor_id = $2 AND key = $3
