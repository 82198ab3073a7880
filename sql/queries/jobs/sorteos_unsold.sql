-- Draws that were never closed, whose time is over, and of which no ticket was ever sold. $1 banca, $2 drawn until, $3
-- the last one seen or null, $4 limit.
SELECT id, scheduled_at FROM sorteos
 WHERE banca_id = $1 AND status IN ('SCHEDULED', 'OPEN') AND is_active AND last_sequence = 0 AND scheduled_at <= $2
   AND ($3::uuid IS NULL OR id > $3)
 ORDER BY id LIMIT $4
