-- A jugada counts or not as the last event that moved it says, and such events take turns; it counts when its ticket is
-- neither cancelled nor excluded, and no exclusion takes it out by itself. A move without a jugada is none.
WITH move AS (
    SELECT m.*, lag(m.is_live, 1, true) OVER w AS was_live, row_number() OVER w = count(*) OVER (
               PARTITION BY m.banca_id, m.business_date, m.sorteo_id, m.sequence, m.line) AS is_last
      FROM jugada_moves m
    WINDOW w AS (PARTITION BY m.banca_id, m.business_date, m.sorteo_id, m.sequence, m.line ORDER BY m.event_id)
)
SELECT coalesce(m.banca_id, j.banca_id) AS banca_id,
       format('draw %s, ticket %s, line %s: its moves end with %s, it is %s', coalesce(m.sorteo_id, j.sorteo_id),
              coalesce(m.sequence, j.sequence), coalesce(m.line, j.line),
              CASE WHEN coalesce(m.is_live, true) THEN 'live' ELSE 'not live' END,
              CASE WHEN j.is_live THEN 'live' ELSE 'not live' END) AS finding
  FROM (SELECT * FROM move WHERE is_last) m
  FULL JOIN (
      SELECT j.banca_id, j.business_date, j.sorteo_id, j.sequence, j.line,
             t.status = 'ACTIVE' AND j.exclusion_id IS NULL AS is_live
        FROM jugadas j
        JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date AND t.sorteo_id = j.sorteo_id
             AND t.sequence = j.sequence) j
    ON j.banca_id = m.banca_id AND j.business_date = m.business_date AND j.sorteo_id = m.sorteo_id
       AND j.sequence = m.sequence AND j.line = m.line
 WHERE j.is_live IS DISTINCT FROM coalesce(m.is_live, true)
UNION ALL
SELECT m.banca_id, format('draw %s, ticket %s, line %s: event %s moved it to where it was', m.sorteo_id, m.sequence,
                          m.line, m.event_id)
  FROM move m WHERE m.is_live = m.was_live
