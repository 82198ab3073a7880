-- $1 banca, $2 sorteo.
SELECT s.id, s.loteria_id, l.name AS loteria_name, s.name, s.digits, s.status::text, s.is_active, s.scheduled_at,
       s.opens_at, s.slot_at, s.name_is_chosen, s.business_date, s.daily_ordinal, s.created_at,
       lpad(r.winning_number::text, s.digits, '0') AS winning_number, r.extra_outcome_code, r.has_winner
  FROM sorteos s
  JOIN loterias l ON l.banca_id = s.banca_id AND l.id = s.loteria_id
  LEFT JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.id AND r.state = 'DONE'
 WHERE s.banca_id = $1 AND s.id = $2
