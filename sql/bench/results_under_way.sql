-- How many results of a banca ($1) are not done yet.
SELECT count(*) AS results FROM sorteo_results WHERE banca_id = $1 AND state <> 'DONE'
