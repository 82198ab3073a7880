-- The draw ($2) of a banca ($1) whose lists are read.
SELECT id, name, status::text, scheduled_at, has_exclusions FROM sorteos WHERE banca_id = $1 AND id = $2
