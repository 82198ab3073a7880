-- $1 banca, $2 loteria, $3 base multiplier in hundredths or null, $4 cap of a whole draw in cents or null.
INSERT INTO banca_loteria_settings (banca_id, loteria_id, base_multiplier_x_hundredths, max_total_per_sorteo_cents)
VALUES ($1, $2, $3, $4)
ON CONFLICT (banca_id, loteria_id) DO UPDATE
   SET base_multiplier_x_hundredths = excluded.base_multiplier_x_hundredths,
       max_total_per_sorteo_cents = excluded.max_total_per_sorteo_cents,
       is_active = true, updated_at = clock_timestamp()
