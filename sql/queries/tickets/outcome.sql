-- What speaks against the actor (verdict; null: nothing), what a key was answered (outcome is null when it is new), and
-- the version of the rules now, with the time that judges them. $1 banca, $2 actor, $3 key, $4 seller, $5 session, $6 terminal, $7 key version.
SELECT clock_timestamp() AS now, sale_gate($1, $2, $4, $5, $6, $7) AS verdict, b.rulebook_version, k.fingerprint, k.outcome::text AS outcome,
       k.business_date, k.sorteo_id, k.sequence, k.created_at, k.violations
  FROM bancas b
  LEFT JOIN idempotency k ON k.banca_id = b.id AND k.actor_id = $2 AND k.key = $3
 WHERE b.id = $1
