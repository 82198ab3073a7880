-- A draw's own limits ($1 banca, $2 sorteo) from each version on, the oldest first. number_limits: {"15": cents}.
SELECT version, global_limit_cents, number_limits::text
  FROM sorteo_limit_versions WHERE banca_id = $1 AND sorteo_id = $2 ORDER BY version
