-- What was found out about days ($4 to $5) of entities ($3) of one dimension ($2) of a banca ($1) after they were closed, and posted
-- on later days.
SELECT c.entity_id, c.business_date, c.posted_on, c.ordinal, c.net_cents, c.created_at
  FROM statement_corrections c
 WHERE c.banca_id = $1 AND c.dimension = $2::text::statement_dimension AND c.entity_id = ANY ($3::uuid[])
   AND c.business_date BETWEEN $4 AND $5
