-- A draw ($2) of a banca ($1) with the result that stands, null where none does; one row if there is such a draw.
SELECT s.id, s.loteria_id, l.name AS loteria_name, s.name, s.digits, s.scheduled_at, s.business_date, s.daily_ordinal,
       s.status::text AS status, r.evaluation, r.winning_number, r.extra_multiplier_id, r.extra_x_hundredths,
       r.extra_outcome_code, r.settled_at
  FROM sorteos s
  JOIN loterias l ON l.banca_id = s.banca_id AND l.id = s.loteria_id
  LEFT JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.id AND r.state = 'DONE'
 WHERE s.banca_id = $1 AND s.id = $2
