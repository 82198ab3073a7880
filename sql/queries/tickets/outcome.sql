-- What speaks against the actor (verdict; null: nothing), what a key was answered (outcome is null when it is new), and
-- the version of the rules now, with the time that judges them. $1 banca, $2 actor, $3 key, $4 seller, $5 session, $6 terminal, $7 key version.
SELECT clock_timestamp() AS now, sale_gate($1, $2, $4, $5, $6, $7) AS verdict, b.rulebook_version,
       (k.used).fingerprint, (k.used).outcome::text AS outcome, (k.used).business_date, (k.used).sorteo_id,
       (k.used).sequence, (k.used).created_at, (k.used).violations, k.is_ambiguous
  FROM bancas b
 CROSS JOIN find_key($1, $2, $6, $3) k
 WHERE b.id = $1
