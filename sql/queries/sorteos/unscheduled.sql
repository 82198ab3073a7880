-- Active draws of a lottery still to be drawn, from $3 to $4, but for these: $5 ids[]. $1 banca, $2 loteria, $6 limit.
SELECT id, name, status::text, scheduled_at, slot_at FROM sorteos
 WHERE banca_id = $1 AND loteria_id = $2 AND scheduled_at BETWEEN $3 AND $4 AND status IN ('SCHEDULED', 'OPEN')
   AND is_active AND id <> ALL ($5::uuid[])
 ORDER BY scheduled_at, id LIMIT $6
