-- What the banca sets for a lottery; nulls when nothing; no row: there is no such lottery. $1 banca, $2 loteria.
SELECT l.id AS loteria_id, c.base_multiplier_x_hundredths AS base_multiplier_x,
       c.max_total_per_sorteo_cents AS max_total_per_sorteo
  FROM loterias l
  LEFT JOIN banca_loteria_settings c ON c.banca_id = l.banca_id AND c.loteria_id = l.id AND c.is_active
 WHERE l.banca_id = $1 AND l.id = $2
