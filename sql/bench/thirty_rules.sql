-- Thirty rules, five of which govern every jugada of the multiplier and refuse none; the others are for single numbers
-- of the lottery's other multiplier. $1 banca, $2 loteria, $3 multiplier, $4 cents.
WITH place AS (
    SELECT v.id AS ventana_id FROM ventanas v WHERE v.banca_id = $1
), other AS (
    SELECT m.id FROM loteria_multipliers m
     WHERE m.banca_id = $1 AND m.loteria_id = $2 AND m.id <> $3 AND m.kind = 'NUMERO'
)
INSERT INTO restriction_rules (banca_id, id, whole_banca, ventana_id, number, max_total_cents, applies_to_vendedor,
                               loteria_id, multiplier_id)
SELECT $1, gen_random_uuid(), r.whole_banca, r.ventana_id, NULL::smallint, $4::bigint, r.applies_to_vendedor, r.loteria_id,
       r.multiplier_id
  FROM place, LATERAL (VALUES
       (true, NULL::uuid, false, NULL::uuid, NULL::uuid),
       (true, NULL, true, NULL, NULL),
       (true, NULL, false, $2::uuid, $3::uuid),
       (false, place.ventana_id, false, NULL, NULL),
       (false, place.ventana_id, false, $2, $3))
       AS r (whole_banca, ventana_id, applies_to_vendedor, loteria_id, multiplier_id)
UNION ALL
SELECT $1, gen_random_uuid(), true, NULL::uuid, n::smallint, $4::bigint, false, $2, other.id FROM other, generate_series(0, 24) n
