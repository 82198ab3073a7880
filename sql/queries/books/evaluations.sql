-- No evaluation has stopped, or stands still for ten minutes; and what failed in one that has ended was done in the end.
SELECT r.banca_id, format('draw %s, evaluation %s: it has failed while %s since %s: %s', r.sorteo_id, r.evaluation,
                          CASE r.state WHEN 'RUNNING' THEN 'prizes were paid' ELSE 'prizes were taken back' END,
                          r.failed_at, r.failure) AS finding
  FROM sorteo_results r WHERE r.failed_at IS NOT NULL
UNION ALL
SELECT r.banca_id, format('draw %s, evaluation %s: it stands still since %s', r.sorteo_id, r.evaluation, r.progressed_at)
  FROM sorteo_results r
 WHERE r.state IN ('RUNNING', 'REVERTING') AND r.failed_at IS NULL AND r.progressed_at < now() - interval '10 minutes'
UNION ALL
SELECT f.banca_id, format('draw %s, evaluation %s: ticket %s failed, and the evaluation is %s', f.sorteo_id, f.evaluation,
                          f.sequence, r.state)
  FROM evaluation_failures f
  JOIN sorteo_results r ON r.banca_id = f.banca_id AND r.sorteo_id = f.sorteo_id AND r.evaluation = f.evaluation
 WHERE f.resolved_at IS NULL AND r.state <> f.state
