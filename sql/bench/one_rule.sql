-- One rule that governs every jugada and refuses none: $1 banca, $2 cents.
INSERT INTO restriction_rules (banca_id, id, whole_banca, max_total_cents) VALUES ($1, gen_random_uuid(), true, $2)
