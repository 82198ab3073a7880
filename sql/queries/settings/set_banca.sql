-- $1 banca, $2 least bet in cents, $3 cap of a number of a draw in cents or null, $4 cutoff in minutes, $5 what a number
-- of a draw may cost in cents; of what its ventanas may write: $6 highest multiplier in hundredths or null, $7 highest
-- commission in basis points, $8 kinds[].
UPDATE bancas
   SET default_min_bet_cents = $2, global_max_per_number_cents = $3, sales_cutoff_minutes = $4,
       number_payout_max_cents = $5, ventana_max_multiplier_x_hundredths = $6,
       ventana_max_commission_basis_points = $7, ventana_writes = $8
 WHERE id = $1
