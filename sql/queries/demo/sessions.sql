-- Sessions that nobody logged in for: $1 banca, $2 ids[], $3 users[], $4 refresh hashes[], $5 expiry.
INSERT INTO sessions (id, banca_id, user_id, refresh_hash, expires_at)
SELECT s.id, $1, s.user_id, s.hash, $5 FROM unnest($2::uuid[], $3::uuid[], $4::bytea[]) AS s (id, user_id, hash)
