-- Draws of these lotteries that wait to be opened and are drawn in [$3, $4), but for those that have an instant of their
-- own at which they will open. $1 banca, $2 lotteries[], $5 the last one seen or null, $6 limit, $7 now.
SELECT id, scheduled_at FROM sorteos
 WHERE banca_id = $1 AND loteria_id = ANY ($2::uuid[]) AND status = 'SCHEDULED' AND is_active
   AND scheduled_at >= $3 AND scheduled_at < $4 AND (opens_at IS NULL OR opens_at <= $7) AND ($5::uuid IS NULL OR id > $5)
 ORDER BY id LIMIT $6
