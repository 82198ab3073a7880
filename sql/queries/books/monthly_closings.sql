-- A month that was closed begins and ends with what the days say, unless one of its days waits to be computed; and of the
-- entities that were active in it none is missing.
WITH told AS (
    SELECT k.banca_id, k.dimension, k.entity_id, k.month, k.opening_cents, k.closing_cents, k.ticket_count,
           coalesce(o.closing_cents, 0) AS opened, coalesce(z.closing_cents, 0) AS closed
      FROM monthly_closings k
      LEFT JOIN LATERAL (
           SELECT s.closing_cents FROM statements s
            WHERE s.banca_id = k.banca_id AND s.dimension = k.dimension AND s.entity_id = k.entity_id
              AND s.business_date < k.month
            ORDER BY s.business_date DESC LIMIT 1) o ON true
      LEFT JOIN LATERAL (
           SELECT s.closing_cents FROM statements s
            WHERE s.banca_id = k.banca_id AND s.dimension = k.dimension AND s.entity_id = k.entity_id
              AND s.business_date < k.month + interval '1 month'
            ORDER BY s.business_date DESC LIMIT 1) z ON true
)
SELECT t.banca_id, format('%s %s, %s: closed from %s to %s, its days say from %s to %s', lower(t.dimension::text),
                          t.entity_id, to_char(t.month, 'YYYY-MM'), t.opening_cents, t.closing_cents, t.opened,
                          t.closed) AS finding
  FROM told t
 WHERE (t.opening_cents, t.closing_cents) <> (t.opened, t.closed)
   AND NOT EXISTS (SELECT FROM statement_work w
                    WHERE w.banca_id = t.banca_id AND w.dimension = t.dimension AND w.entity_id = t.entity_id
                      AND w.business_date < t.month + interval '1 month')
UNION ALL
SELECT DISTINCT s.banca_id, format('%s %s, %s: closed, but not for it', lower(s.dimension::text), s.entity_id,
                                   to_char(m.month, 'YYYY-MM'))
  FROM closed_months m
  JOIN statements s ON s.banca_id = m.banca_id AND s.business_date >= m.month
       AND s.business_date < m.month + interval '1 month'
 WHERE NOT EXISTS (SELECT FROM monthly_closings k
                    WHERE k.banca_id = m.banca_id AND k.month = m.month AND k.dimension = s.dimension
                      AND k.entity_id = s.entity_id)
