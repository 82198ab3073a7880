-- The last link of a banca's chain; no row when there is none. $1: banca.
SELECT position, hash FROM audit_chain WHERE banca_id = $1 ORDER BY position DESC LIMIT 1
