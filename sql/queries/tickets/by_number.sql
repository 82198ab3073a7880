-- Where a ticket is, by what its number says: business date, the draw's ordinal in it, the sequence in the draw.
SELECT t.business_date, t.sorteo_id, t.sequence
  FROM sorteos s
  JOIN tickets t ON t.banca_id = s.banca_id AND t.business_date = s.business_date AND t.sorteo_id = s.id
 WHERE s.banca_id = $1 AND s.business_date = $2 AND s.daily_ordinal = $3 AND t.sequence = $4
