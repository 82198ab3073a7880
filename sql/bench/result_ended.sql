-- When what was asked of the draw's ($1) newest result was done; null while it is under way.
SELECT CASE r.state WHEN 'DONE' THEN r.settled_at WHEN 'REVERTED' THEN r.reverted_at END AS at
  FROM sorteo_results r WHERE r.sorteo_id = $1 ORDER BY r.evaluation DESC LIMIT 1
