-- What a key was answered; no row: it is new.
SELECT fingerprint, outcome::text AS outcome, business_date, sorteo_id, sequence, created_at, violations
  FROM idempotency WHERE banca_id = $1 AND actor_id = $2 AND key = $3
