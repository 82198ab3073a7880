-- Each committed event has its audit record exactly once: every sale and every cancel its row, every event its link.
-- $1: what is younger is still on its way.
WITH cuts AS (
    -- What was recorded before a trail's first link may be gone, unless that is the first there ever was.
    SELECT DISTINCT ON (banca_id) banca_id, CASE position WHEN 1 THEN '-infinity' ELSE recorded_at END AS begins
      FROM audit_chain ORDER BY banca_id, position
)
SELECT o.banca_id, format('event %s (%s) of %s is not in the audit trail', o.id, o.type, o.created_at) AS finding
  FROM outbox o
 WHERE o.created_at < now() - $1::interval
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.banca_id = o.banca_id AND c.event_id = o.id)
UNION ALL
SELECT t.banca_id, format('ticket %s has %s audit rows of its sale', t.id, count(l.line))
  FROM tickets t
  LEFT JOIN activity_log l ON l.banca_id = t.banca_id AND l.target_id = t.id AND l.action = 'TICKET_CREATE'
       AND l.event_id = t.event_id
 WHERE t.created_at < now() - $1::interval
   AND t.created_at > coalesce((SELECT c.begins FROM cuts c WHERE c.banca_id = t.banca_id), '-infinity')
 GROUP BY t.banca_id, t.id
HAVING count(l.line) <> 1
UNION ALL
SELECT t.banca_id, format('ticket %s has %s audit rows of its cancel', t.id, count(l.line))
  FROM tickets t
  LEFT JOIN activity_log l ON l.banca_id = t.banca_id AND l.target_id = t.id AND l.action = 'TICKET_CANCEL'
       -- It may have been cancelled before, and restored.
       AND l.occurred_at = t.cancelled_at
 WHERE t.status = 'CANCELLED' AND t.cancelled_at < now() - $1::interval
   AND t.cancelled_at > coalesce((SELECT c.begins FROM cuts c WHERE c.banca_id = t.banca_id), '-infinity')
 GROUP BY t.banca_id, t.id
HAVING count(l.line) <> 1
UNION ALL
SELECT r.banca_id, format('draw %s, ticket %s has %s audit rows of its restore', r.sorteo_id, r.sequence, count(l.line))
  FROM ticket_restores r
  LEFT JOIN activity_log l ON l.banca_id = r.banca_id AND l.event_id = r.event_id AND l.action = 'TICKET_RESTORE'
 WHERE r.restored_at < now() - $1::interval
   AND r.restored_at > coalesce((SELECT c.begins FROM cuts c WHERE c.banca_id = r.banca_id), '-infinity')
 GROUP BY r.banca_id, r.sorteo_id, r.sequence, r.event_id
HAVING count(l.line) <> 1
UNION ALL
SELECT e.banca_id, format('exclusion %s has %s audit rows', e.id, count(l.line))
  FROM lista_exclusions e
  LEFT JOIN activity_log l ON l.banca_id = e.banca_id AND l.target_id = e.id
       AND (l.event_id = e.event_id AND l.action = 'LISTA_EXCLUDE'
            OR l.event_id = e.lifted_event_id AND l.action = 'LISTA_INCLUDE')
 WHERE coalesce(e.lifted_at, e.excluded_at) < now() - $1::interval
   AND e.excluded_at > coalesce((SELECT c.begins FROM cuts c WHERE c.banca_id = e.banca_id), '-infinity')
 GROUP BY e.banca_id, e.id, e.lifted_at
HAVING count(l.line) <> CASE WHEN e.lifted_at IS NULL THEN 1 ELSE 2 END
