SELECT id AS banca_id, default_min_bet_cents AS default_min_bet, global_max_per_number_cents AS global_max_per_number,
       sales_cutoff_minutes, number_payout_max_cents AS max_payout_per_number
  FROM bancas WHERE id = $1
