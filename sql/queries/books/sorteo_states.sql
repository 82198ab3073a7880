-- A draw's history has no hole, each change begins where the one before ended, and the last one is what the draw is.
-- Of a draw that never changed there may be none.
SELECT h.banca_id,
       format('sorteo %s: change %s (%s to %s) does not follow the one before', h.sorteo_id, h.ordinal, h.from_status,
              h.to_status) AS finding
  FROM (SELECT *, row_number() OVER draw AS place, lag(to_status) OVER draw AS status_before
          FROM sorteo_states WINDOW draw AS (PARTITION BY banca_id, sorteo_id ORDER BY ordinal)) h
 WHERE h.ordinal <> h.place OR h.place > 1 AND h.from_status IS DISTINCT FROM h.status_before
UNION ALL
SELECT s.banca_id,
       format('sorteo %s is %s (active: %s), its history ends with %s (active: %s)', s.id, s.status, s.is_active,
              h.to_status, h.is_active)
  FROM sorteos s
 CROSS JOIN LATERAL (SELECT to_status, is_active FROM sorteo_states
                      WHERE banca_id = s.banca_id AND sorteo_id = s.id ORDER BY ordinal DESC LIMIT 1) h
 WHERE (s.status, s.is_active) <> (h.to_status, h.is_active)
