-- What the banca lets its ventanas write. $1 banca.
SELECT ventana_max_multiplier_x_hundredths AS max_x_hundredths,
       ventana_max_commission_basis_points AS max_basis_points, ventana_writes AS writes
  FROM bancas WHERE id = $1
