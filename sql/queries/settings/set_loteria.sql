-- $1 banca, $2 loteria, $3 base multiplier in hundredths or null, $4 cap of a whole draw in cents or null. What says the
-- same is no change, and nothing where there is nothing neither.
INSERT INTO banca_loteria_settings AS s (banca_id, loteria_id, base_multiplier_x_hundredths, max_total_per_sorteo_cents)
SELECT $1, $2, $3, $4
 WHERE num_nonnulls($3::integer, $4::bigint) > 0
    OR EXISTS (SELECT FROM banca_loteria_settings WHERE banca_id = $1 AND loteria_id = $2)
ON CONFLICT (banca_id, loteria_id) DO UPDATE
   SET base_multiplier_x_hundredths = excluded.base_multiplier_x_hundredths,
       max_total_per_sorteo_cents = excluded.max_total_per_sorteo_cents,
       is_active = true, updated_at = clock_timestamp()
 WHERE (s.base_multiplier_x_hundredths, s.max_total_per_sorteo_cents, s.is_active)
       IS DISTINCT FROM (excluded.base_multiplier_x_hundredths, excluded.max_total_per_sorteo_cents, true)
