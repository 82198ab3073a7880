-- Every day begins with what the day before it ended with, or at 0: the first day, and the first since a reset. What was
-- posted of closed days is in the day that it was posted on.
WITH row AS (
    SELECT s.*, (SELECT count(*) FROM balance_resets z
                  WHERE s.dimension = 'VENDEDOR' AND z.banca_id = s.banca_id AND z.vendedor_id = s.entity_id
                    AND z.business_date <= s.business_date AND z.reverted_at IS NULL) AS epoch
      FROM statements s
), stepped AS (
    SELECT r.*, lag(r.closing_cents, 1, 0::bigint) OVER (
               PARTITION BY r.banca_id, r.dimension, r.entity_id, r.epoch ORDER BY r.business_date) AS carried_cents
      FROM row r
), posted AS (
    SELECT c.banca_id, c.dimension, c.entity_id, c.posted_on, sum(c.net_cents) AS net_cents
      FROM statement_corrections c GROUP BY c.banca_id, c.dimension, c.entity_id, c.posted_on
)
SELECT s.banca_id, format('%s %s on %s begins with %s, the day before ended with %s', lower(s.dimension::text),
                          s.entity_id, s.business_date, s.opening_cents, s.carried_cents) AS finding
  FROM stepped s WHERE s.opening_cents <> s.carried_cents
UNION ALL
SELECT coalesce(s.banca_id, p.banca_id),
       format('%s %s on %s has corrections of %s, posted were %s', lower(coalesce(s.dimension, p.dimension)::text),
              coalesce(s.entity_id, p.entity_id), coalesce(s.business_date, p.posted_on), s.corrections_cents,
              p.net_cents)
  FROM statements s
  FULL JOIN posted p ON p.banca_id = s.banca_id AND p.dimension = s.dimension AND p.entity_id = s.entity_id
       AND p.posted_on = s.business_date
 WHERE coalesce(s.corrections_cents, 0) <> coalesce(p.net_cents, 0)
