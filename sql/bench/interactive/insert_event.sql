-- $1 id, $2 banca, $3 payload, $4 time.
INSERT INTO outbox (id, banca_id, type, payload, created_at) VALUES ($1, $2, 'tickets.sold', $3, $4)
