-- The first $4 tickets that failed in evaluation $3 of a draw, in its present state, and how many there are.
SELECT f.sequence, t.id AS ticket_id, t.vendedor_id, f.reason, f.attempts, f.failed_at, s.business_date, s.daily_ordinal,
       count(*) OVER () AS failures
  FROM sorteo_results r
  JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
  JOIN evaluation_failures f ON f.banca_id = r.banca_id AND f.sorteo_id = r.sorteo_id AND f.evaluation = r.evaluation
       AND f.state = r.state AND f.resolved_at IS NULL
  JOIN tickets t ON t.banca_id = r.banca_id AND t.business_date = s.business_date AND t.sorteo_id = r.sorteo_id
       AND t.sequence = f.sequence
 WHERE r.banca_id = $1 AND r.sorteo_id = $2 AND r.evaluation = $3
 ORDER BY f.sequence LIMIT $4
