-- How many movements there are of a day: $1–$4 as in of_day.sql.
SELECT count(*)
  FROM movements m
 WHERE m.banca_id = $1 AND m.business_date = $2
   AND ($3::uuid IS NULL OR m.dimension = 'VENDEDOR' AND m.entity_id = $3)
   AND ($4::uuid IS NULL OR m.dimension = 'VENTANA' AND m.entity_id = $4
        OR m.dimension = 'VENDEDOR' AND EXISTS (
            SELECT FROM users u WHERE u.banca_id = $1 AND u.id = m.entity_id AND u.ventana_id = $4))
