-- $1 banca, $2 sorteo, $3 cents of each number that has no limit of its own, or null.
UPDATE sorteos SET global_limit_cents = $3, updated_at = clock_timestamp()
 WHERE banca_id = $1 AND id = $2 AND global_limit_cents IS DISTINCT FROM $3::bigint
