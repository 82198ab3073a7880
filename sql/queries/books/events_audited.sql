-- Each committed event has its audit record exactly once: every sale and every cancel its row, every event its link.
-- $1: what is younger is still on its way.
SELECT o.banca_id, format('event %s (%s) of %s is not in the audit trail', o.id, o.type, o.created_at) AS finding
  FROM outbox o
 WHERE o.created_at < now() - $1::interval
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.banca_id = o.banca_id AND c.event_id = o.id)
UNION ALL
SELECT t.banca_id, format('ticket %s has %s audit rows of its sale', t.id, count(l.line))
  FROM tickets t
  LEFT JOIN activity_log l ON l.banca_id = t.banca_id AND l.target_id = t.id AND l.action = 'TICKET_CREATE'
       AND l.event_id = t.event_id
 WHERE t.created_at < now() - $1::interval AND t.created_at > $2::timestamptz
 GROUP BY t.banca_id, t.id
HAVING count(l.line) <> 1
UNION ALL
SELECT t.banca_id, format('ticket %s has %s audit rows of its cancel', t.id, count(l.line))
  FROM tickets t
  LEFT JOIN activity_log l ON l.banca_id = t.banca_id AND l.target_id = t.id AND l.action = 'TICKET_CANCEL'
 WHERE t.status = 'CANCELLED' AND t.cancelled_at < now() - $1::interval AND t.cancelled_at > $2::timestamptz
 GROUP BY t.banca_id, t.id
HAVING count(l.line) <> 1
