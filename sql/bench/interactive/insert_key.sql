-- $1 banca, $2 actor, $3 key, $4 fingerprint, $5 business date, $6 sorteo, $7 sequence, $8 time.
INSERT INTO idempotency (
    banca_id, actor_id, key, fingerprint, outcome, business_date, sorteo_id, sequence, created_at)
VALUES ($1, $2, $3, $4, 'SOLD', $5, $6, $7, $8)
