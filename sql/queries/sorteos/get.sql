-- $1 banca, $2 sorteo.
SELECT s.id, s.loteria_id, l.name AS loteria_name, s.name, s.digits, s.status::text, s.is_active, s.scheduled_at,
       s.business_date, s.daily_ordinal, s.created_at
  FROM sorteos s
  JOIN loterias l ON l.banca_id = s.banca_id AND l.id = s.loteria_id
 WHERE s.banca_id = $1 AND s.id = $2
