-- The sellers and ventanas that have statements in a banca ($1), with those that do something else now: $2 one seller or
-- null, $3 a ventana with its own sellers or null. last_date: the latest day that is stored.
SELECT e.dimension::text AS dimension, e.id, e.name, e.code, e.is_active, e.ventana_id, v.name AS ventana_name, d.first_date,
       d.last_date
  FROM (SELECT 'VENDEDOR'::statement_dimension AS dimension, u.id, coalesce(nullif(u.name, ''), u.username) AS name,
               u.code, u.is_active AND u.role = 'VENDEDOR' AS is_active, u.ventana_id
          FROM users u WHERE u.banca_id = $1
        UNION ALL
        SELECT 'VENTANA', v.id, v.name, v.code, v.is_active, v.id FROM ventanas v WHERE v.banca_id = $1) e
 CROSS JOIN LATERAL (
      SELECT min(s.business_date) AS first_date, max(s.business_date) AS last_date FROM statements s
       WHERE s.banca_id = $1 AND s.dimension = e.dimension AND s.entity_id = e.id) d
  LEFT JOIN ventanas v ON v.banca_id = $1 AND v.id = e.ventana_id
 WHERE d.last_date IS NOT NULL
   AND ($2::uuid IS NULL OR e.dimension = 'VENDEDOR' AND e.id = $2)
   AND ($3::uuid IS NULL OR e.ventana_id = $3)
 ORDER BY e.dimension, e.name, e.id
