-- $1 how far ahead, $2 limit, $3 a test's time or null.
SELECT banca_id, id, status, scheduled_at, opens_at, rulebook_version, at FROM upcoming_sorteos($1, $2, $3)
