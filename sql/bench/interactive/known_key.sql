-- $1 banca, $2 actor, $3 terminal, $4 key.
SELECT outcome, fingerprint FROM idempotency WHERE banca_id = $1 AND key = $4 AND (actor_id = $2 OR terminal_id = $3)
