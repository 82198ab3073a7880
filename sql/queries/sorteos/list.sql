-- $1 banca, $2 status or null, $3 loteria or null, $4 business date or null, $5 and $6 the last row seen or nulls,
-- $7 limit, $8 offset.
SELECT s.id, s.loteria_id, l.name AS loteria_name, s.name, s.digits, s.status::text, s.is_active, s.scheduled_at,
       s.opens_at, s.slot_at, s.name_is_chosen, s.business_date, s.daily_ordinal, s.created_at,
       lpad(r.winning_number::text, s.digits, '0') AS winning_number, r.extra_outcome_code, r.has_winner
  FROM sorteos s
  JOIN loterias l ON l.banca_id = s.banca_id AND l.id = s.loteria_id
  LEFT JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.id AND r.state = 'DONE'
 WHERE s.banca_id = $1
   AND ($2::text IS NULL OR s.status = $2::sorteo_status)
   AND ($3::uuid IS NULL OR s.loteria_id = $3)
   AND ($4::date IS NULL OR s.business_date = $4)
   AND ($5::timestamptz IS NULL OR (s.scheduled_at, s.id) < ($5, $6::uuid))
 ORDER BY s.scheduled_at DESC, s.id DESC
 LIMIT $7 OFFSET $8
