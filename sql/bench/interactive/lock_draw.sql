-- $1 banca, $2 sorteo.
SELECT status = 'OPEN' AND is_active AND clock_timestamp() < scheduled_at AS is_open, business_date, last_sequence,
       date_trunc('milliseconds', clock_timestamp()) AS now
  FROM sorteos WHERE banca_id = $1 AND id = $2 FOR NO KEY UPDATE
