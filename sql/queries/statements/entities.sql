-- Whose statements there may be, and what day it is: $1 banca, $2 dimension, $3 one entity or null, $4 ventana whose
-- sellers are meant or null. One row without an id where there is nobody.
SELECT e.id, e.name, e.code, v.id AS ventana_id, v.name AS ventana_name, v.code AS ventana_code,
       b.name AS banca_name, b.code AS banca_code, costa_rica_date(clock_timestamp()) AS today
  FROM bancas b
  LEFT JOIN (
       SELECT u.id, coalesce(nullif(u.name, ''), u.username) AS name, u.code, u.ventana_id
         FROM users u
        WHERE $2 = 'VENDEDOR' AND u.banca_id = $1 AND ($3::uuid IS NULL OR u.id = $3)
          AND ($4::uuid IS NULL OR u.ventana_id = $4)
          -- Who sold once and does something else now has a statement still.
          AND (u.role = 'VENDEDOR' OR EXISTS (
               SELECT FROM statements s WHERE s.banca_id = $1 AND s.dimension = 'VENDEDOR' AND s.entity_id = u.id))
       UNION ALL
       SELECT v.id, v.name, v.code, v.id FROM ventanas v
        WHERE $2 = 'VENTANA' AND v.banca_id = $1 AND ($3::uuid IS NULL OR v.id = $3)
       UNION ALL
       SELECT b.id, b.name, b.code, NULL FROM bancas b WHERE $2 = 'BANCA' AND b.id = $1) e ON true
  LEFT JOIN ventanas v ON v.banca_id = $1 AND v.id = e.ventana_id
 WHERE b.id = $1
 ORDER BY e.name, e.id
