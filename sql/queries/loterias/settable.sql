-- What of a lottery may be changed in part. $1 banca, $2 loteria.
SELECT name, is_active FROM loterias WHERE banca_id = $1 AND id = $2
