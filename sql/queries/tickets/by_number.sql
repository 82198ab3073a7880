-- Where a ticket is, by what its number says: business date, the draw's ordinal in it, the sequence in the draw.
SELECT t.business_date, t.sorteo_id, t.sequence
  FROM sorteos s
 CROSS JOIN LATERAL find_ticket($1, s.business_date, s.id, $4) t
 WHERE s.banca_id = $1 AND s.business_date = $2 AND s.daily_ordinal = $3
