-- An open draw ($2) beside another ($1), whose sales end so many seconds ($3) from now.
INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at, business_date, daily_ordinal)
SELECT s.banca_id, $2, s.loteria_id, 'Closes', s.digits, 'OPEN',
       clock_timestamp() + make_interval(mins => b.sales_cutoff_minutes, secs => $3::float8 - 1), '-infinity', 1
  FROM sorteos s JOIN bancas b ON b.id = s.banca_id
 WHERE s.id = $1
