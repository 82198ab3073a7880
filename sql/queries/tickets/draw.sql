-- A draw's static facts and its limits: what a price needs; its state is judged under the lock.
SELECT s.id, s.loteria_id, s.digits, s.business_date, s.daily_ordinal, s.name, s.scheduled_at, s.global_limit_cents,
       (SELECT jsonb_object_agg(n.number, n.max_amount_cents) FROM sorteo_number_limits n
         WHERE n.banca_id = s.banca_id AND n.sorteo_id = s.id) AS number_limits
  FROM sorteos s WHERE s.banca_id = $1 AND s.id = $2
