SELECT id AS banca_id, default_min_bet_cents AS default_min_bet, global_max_per_number_cents AS global_max_per_number,
       sales_cutoff_minutes, number_payout_max_cents AS max_payout_per_number,
       ventana_max_multiplier_x_hundredths AS ventana_max_multiplier_x,
       ventana_max_commission_basis_points AS ventana_max_commission_percent, ventana_writes
  FROM bancas WHERE id = $1
