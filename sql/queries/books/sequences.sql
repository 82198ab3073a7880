-- Ticket numbers of a draw run from 1 without a gap, as far as the draw says.
SELECT s.banca_id, format('draw %s: %s tickets up to %s, the draw says %s', s.id, count(t.sequence),
                          coalesce(max(t.sequence), 0), s.last_sequence) AS finding
  FROM sorteos s
  LEFT JOIN tickets t ON t.banca_id = s.banca_id AND t.business_date = s.business_date AND t.sorteo_id = s.id
 GROUP BY s.banca_id, s.id, s.last_sequence
HAVING count(t.sequence) <> s.last_sequence OR coalesce(max(t.sequence), 0) <> s.last_sequence
