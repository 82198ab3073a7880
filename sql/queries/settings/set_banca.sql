-- $1 banca, $2 least bet in cents, $3 cap of a number of a draw in cents or null, $4 cutoff in minutes.
UPDATE bancas SET default_min_bet_cents = $2, global_max_per_number_cents = $3, sales_cutoff_minutes = $4 WHERE id = $1
