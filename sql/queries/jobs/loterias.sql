-- The lotteries that are switched on, after $2 (null: from the first). $1 banca, $3 limit.
SELECT id, name, rules FROM loterias
 WHERE banca_id = $1 AND is_active AND ($2::uuid IS NULL OR id > $2)
 ORDER BY id LIMIT $3
