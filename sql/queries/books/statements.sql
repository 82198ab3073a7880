-- Every day of every seller, ventana and banca is what its jugadas, prizes, movements and write-offs say, summed from them anew; of a
-- closed day together with what was posted of it later; of a reset seller what counts and what was left out. No row is
-- missing, and none waits to be computed for longer than $1.
WITH waiting AS (
    SELECT DISTINCT w.banca_id, w.dimension, w.entity_id, w.business_date FROM statement_work w
), counted AS (
    SELECT t.banca_id, t.business_date, t.vendedor_id, t.ventana_id, sum(j.sales) AS sales, sum(p.payouts) AS payouts,
           sum(j.listero) AS listero, sum(j.own) AS own, count(*) AS tickets,
           -- Sold before the seller's statement began at 0 again.
           coalesce(t.created_at < z.at, false) AS is_cut
      FROM sorteo_results r
      JOIN tickets t ON t.banca_id = r.banca_id AND t.sorteo_id = r.sorteo_id AND t.status = 'ACTIVE'
      JOIN (SELECT j.banca_id, j.business_date, j.sorteo_id, j.sequence, sum(j.amount_cents) AS sales,
                   sum(j.listero_commission_cents) AS listero,
                   sum(CASE j.commission_origin WHEN 'USER' THEN j.commission_cents ELSE 0 END) AS own
              FROM jugadas j WHERE j.exclusion_id IS NULL
             GROUP BY j.banca_id, j.business_date, j.sorteo_id, j.sequence) j
        ON j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
           AND j.sequence = t.sequence
      LEFT JOIN (SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.evaluation,
                        sum(p.amount_cents) AS payouts
                   FROM prizes p GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.evaluation) p
        ON p.banca_id = t.banca_id AND p.business_date = t.business_date AND p.sorteo_id = t.sorteo_id
           AND p.sequence = t.sequence AND p.evaluation = r.evaluation
      LEFT JOIN (SELECT z.banca_id, z.vendedor_id, z.business_date, z.at,
                        lead(z.business_date, 1, 'infinity') OVER (PARTITION BY z.banca_id, z.vendedor_id ORDER BY z.at)
                            AS until
                   FROM balance_resets z WHERE z.reverted_at IS NULL) z
        ON z.banca_id = t.banca_id AND z.vendedor_id = t.vendedor_id AND t.business_date >= z.business_date
           AND t.business_date < z.until
     WHERE r.state IN ('DONE', 'REVERTING') AND r.settled_at IS NOT NULL
     GROUP BY t.banca_id, t.business_date, t.vendedor_id, t.ventana_id, is_cut
), fact AS (
    SELECT c.banca_id, e.dimension, e.entity_id, c.business_date, e.dimension = 'VENDEDOR' AND c.is_cut AS is_cut,
           c.sales, coalesce(c.payouts, 0) AS payouts, c.listero, c.own, c.tickets, 0::numeric AS paid,
           0::numeric AS collected
      FROM counted c
     CROSS JOIN LATERAL (VALUES ('VENDEDOR'::statement_dimension, c.vendedor_id), ('VENTANA', c.ventana_id),
                                ('BANCA', c.banca_id)) AS e (dimension, entity_id)
    UNION ALL
    SELECT m.banca_id, m.dimension, m.entity_id, m.business_date, coalesce(m.created_at < z.at, false), 0, 0, 0, 0, 0,
           CASE m.type WHEN 'payment' THEN m.amount_cents ELSE 0 END,
           CASE m.type WHEN 'collection' THEN m.amount_cents ELSE 0 END
      FROM movements m
      LEFT JOIN LATERAL (
           SELECT max(z.at) AS at FROM balance_resets z
            WHERE m.dimension = 'VENDEDOR' AND z.banca_id = m.banca_id AND z.vendedor_id = m.entity_id
              AND z.business_date = m.business_date AND z.reverted_at IS NULL) z ON true
     WHERE m.reversed_at IS NULL
    UNION ALL
    SELECT w.banca_id, e.dimension, e.entity_id, w.posted_on,
           e.dimension = 'VENDEDOR' AND coalesce(w.created_at < z.at, false), 0, w.amount_cents, 0, 0, 0, 0, 0
      FROM cash_memo_entries w
     CROSS JOIN LATERAL (VALUES ('VENDEDOR'::statement_dimension, w.vendedor_id), ('VENTANA', w.ventana_id),
                                ('BANCA', w.banca_id)) AS e (dimension, entity_id)
      LEFT JOIN LATERAL (
           SELECT max(z.at) AS at FROM balance_resets z
            WHERE z.banca_id = w.banca_id AND z.vendedor_id = w.vendedor_id AND z.business_date = w.posted_on
              AND z.reverted_at IS NULL) z ON true
     WHERE w.kind = 'WRITE_OFF' AND w.reversed_at IS NULL
), expected AS (
    SELECT f.banca_id, f.dimension, f.entity_id, f.business_date, f.is_cut, sum(f.sales) AS sales,
           sum(f.payouts) AS payouts, sum(f.listero) AS listero, sum(f.own) AS own, sum(f.tickets) AS tickets,
           sum(f.paid) AS paid, sum(f.collected) AS collected
      FROM fact f GROUP BY f.banca_id, f.dimension, f.entity_id, f.business_date, f.is_cut
), told AS (
    SELECT x.banca_id, x.dimension, x.entity_id, x.business_date, x.is_cut, sum(x.sales) AS sales,
           sum(x.payouts) AS payouts, sum(x.listero) AS listero, sum(x.own) AS own, sum(x.tickets) AS tickets,
           sum(x.paid) AS paid, sum(x.collected) AS collected, bool_or(x.is_row) AS has_row
      FROM (SELECT s.banca_id, s.dimension, s.entity_id, s.business_date, false AS is_cut, s.sales_cents AS sales,
                   s.payouts_cents AS payouts, s.listero_commission_cents AS listero,
                   s.vendedor_commission_cents AS own, s.ticket_count AS tickets, s.paid_cents AS paid,
                   s.collected_cents AS collected, true AS is_row
              FROM statements s
            UNION ALL
            SELECT c.banca_id, c.dimension, c.entity_id, c.business_date, false, c.sales_cents, c.payouts_cents,
                   c.listero_commission_cents, c.vendedor_commission_cents, c.ticket_count, c.paid_cents,
                   c.collected_cents, true
              FROM statement_corrections c
            UNION ALL
            SELECT c.banca_id, 'VENDEDOR', c.vendedor_id, c.business_date, true, c.sales_cents, c.payouts_cents,
                   c.listero_commission_cents, c.vendedor_commission_cents, c.ticket_count, c.paid_cents,
                   c.collected_cents, true
              FROM statement_cuts c) x
     GROUP BY x.banca_id, x.dimension, x.entity_id, x.business_date, x.is_cut
)
SELECT coalesce(e.banca_id, t.banca_id) AS banca_id,
       format('%s %s on %s%s: %s − %s + %s − %s is told, its tickets and movements say %s − %s + %s − %s',
              lower(coalesce(e.dimension, t.dimension)::text), coalesce(e.entity_id, t.entity_id),
              coalesce(e.business_date, t.business_date), CASE WHEN coalesce(e.is_cut, t.is_cut) THEN ' (cut)' ELSE '' END,
              t.sales, t.payouts, t.paid, t.collected, e.sales, e.payouts, e.paid, e.collected) AS finding
  FROM expected e
  FULL JOIN told t ON t.banca_id = e.banca_id AND t.dimension = e.dimension AND t.entity_id = e.entity_id
       AND t.business_date = e.business_date AND t.is_cut = e.is_cut
  LEFT JOIN waiting w ON w.banca_id = coalesce(e.banca_id, t.banca_id)
       AND w.dimension = coalesce(e.dimension, t.dimension) AND w.entity_id = coalesce(e.entity_id, t.entity_id)
       AND w.business_date = coalesce(e.business_date, t.business_date)
 WHERE w.banca_id IS NULL
   AND (e.banca_id IS NOT NULL AND t.banca_id IS NULL
        OR (coalesce(e.sales, 0), coalesce(e.payouts, 0), coalesce(e.listero, 0), coalesce(e.own, 0),
            coalesce(e.tickets, 0), coalesce(e.paid, 0), coalesce(e.collected, 0))
           IS DISTINCT FROM (t.sales, t.payouts, t.listero, t.own, t.tickets, t.paid, t.collected))
UNION ALL
SELECT w.banca_id, format('%s %s on %s waits to be computed since %s', lower(w.dimension::text), w.entity_id,
                          w.business_date, w.asked_at)
  FROM statement_work w
 WHERE w.asked_at < now() - $1::interval
