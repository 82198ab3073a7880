-- The movements of days ($4 to $5) of entities ($3) of one dimension ($2) of a banca ($1), the earliest first, those taken
-- back too; unless $6, not what was there when the seller's statement began at 0 again on that day. $7: at most so many.
SELECT m.id, m.entity_id, m.business_date, movement_facts(m) AS facts, m.occurred_at, m.amount_cents, m.type::text AS type, m.reversed_at
  FROM movements m
 WHERE m.banca_id = $1 AND m.business_date BETWEEN $4 AND $5 AND m.dimension = $2::text::statement_dimension
   AND m.entity_id = ANY ($3::uuid[])
   AND ($6 OR NOT EXISTS (
       SELECT FROM balance_resets z
        WHERE $2 = 'VENDEDOR' AND z.banca_id = $1 AND z.vendedor_id = m.entity_id AND z.business_date = m.business_date
          AND z.reverted_at IS NULL AND m.created_at < z.at))
 ORDER BY m.occurred_at, m.id
 LIMIT $7
