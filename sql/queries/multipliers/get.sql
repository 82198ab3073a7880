-- $1 banca, $2 multiplier.
SELECT id, loteria_id, name, kind::text, value_x_hundredths AS value_x, is_active, applies_to_date
  FROM loteria_multipliers
 WHERE banca_id = $1 AND id = $2
