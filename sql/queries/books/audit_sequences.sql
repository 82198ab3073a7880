-- Of each draw the trail tells every sale from the first to the last, once: what is missing between two of them was
-- taken out, or never came. $1: a hole before younger sales may still be filled.
WITH cuts AS (
    -- What was recorded before a trail's first link may be gone, unless that is the first there ever was.
    SELECT DISTINCT ON (banca_id) banca_id, CASE position WHEN 1 THEN '-infinity' ELSE recorded_at END AS begins
      FROM audit_chain ORDER BY banca_id, position
), trail AS (
    SELECT l.banca_id, (l.details ->> 'sorteoId')::uuid AS sorteo_id, (l.details ->> 'sequence')::bigint AS sequence,
           l.occurred_at
      FROM activity_log l
     WHERE l.action = 'TICKET_CREATE'
), stepped AS (
    SELECT t.*, lag(t.sequence, 1, 0::bigint) OVER w AS previous, lag(t.occurred_at) OVER w AS previous_at
      FROM trail t
    WINDOW w AS (PARTITION BY t.banca_id, t.sorteo_id ORDER BY t.sequence)
)
SELECT s.banca_id,
       CASE s.sequence WHEN s.previous THEN format('draw %s: the trail tells the sale %s twice', s.sorteo_id, s.sequence)
            ELSE format('draw %s: the trail has a hole from %s to %s', s.sorteo_id, s.previous + 1, s.sequence - 1) END
       AS finding
  FROM stepped s
 WHERE s.sequence <> s.previous + 1
   AND s.occurred_at < now() - $1::interval
   -- Where the trail was cut, older sales may be gone.
   AND (s.sequence = s.previous
        OR coalesce(s.previous_at, '-infinity')
           >= coalesce((SELECT c.begins FROM cuts c WHERE c.banca_id = s.banca_id), '-infinity'))
UNION ALL
SELECT d.banca_id, format('draw %s sold %s tickets, the trail tells of %s', d.id, d.last_sequence, max(t.sequence))
  FROM sorteos d
  JOIN trail t ON t.banca_id = d.banca_id AND t.sorteo_id = d.id
 GROUP BY d.banca_id, d.id, d.last_sequence
HAVING max(t.sequence) > d.last_sequence
