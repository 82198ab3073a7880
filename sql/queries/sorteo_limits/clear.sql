-- $1 banca, $2 sorteo.
DELETE FROM sorteo_number_limits WHERE banca_id = $1 AND sorteo_id = $2
