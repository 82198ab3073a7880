-- A draw's static facts: what a price needs; its state is judged under the lock.
SELECT id, loteria_id, digits, business_date, daily_ordinal, name, scheduled_at
  FROM sorteos WHERE banca_id = $1 AND id = $2
