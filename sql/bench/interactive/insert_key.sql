-- $1 banca, $2 actor, $3 terminal, $4 key, $5 fingerprint, $6 business date, $7 sorteo, $8 sequence, $9 time.
INSERT INTO idempotency (
    banca_id, actor_id, terminal_id, key, fingerprint, outcome, business_date, sorteo_id, sequence, created_at)
VALUES ($1, $2, $3, $4, $5, 'SOLD', $6, $7, $8, $9)
