-- The movements of a day ($2) of a banca ($1), the latest first: $3 seller or null, $4 ventana with the sellers that are
-- its own, or null, $5 and $6 instant and id of the last one seen or null, $7 how many, $8 offset.
SELECT movement_facts(m) AS facts, m.occurred_at, m.id
  FROM movements m
 WHERE m.banca_id = $1 AND m.business_date = $2
   AND ($3::uuid IS NULL OR m.dimension = 'VENDEDOR' AND m.entity_id = $3)
   AND ($4::uuid IS NULL OR m.dimension = 'VENTANA' AND m.entity_id = $4
        OR m.dimension = 'VENDEDOR' AND EXISTS (
            SELECT FROM users u WHERE u.banca_id = $1 AND u.id = m.entity_id AND u.ventana_id = $4))
   AND ($5::timestamptz IS NULL OR (m.occurred_at, m.id) < ($5, $6::uuid))
 ORDER BY m.occurred_at DESC, m.id DESC
 LIMIT $7 OFFSET $8
