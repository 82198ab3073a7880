-- $1 banca, $2 job.
SELECT is_enabled, schedule, settlement_age_days, batch_size, retention_days
  FROM job_settings WHERE banca_id = $1 AND job = $2
