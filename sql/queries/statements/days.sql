-- The stored days of entities ($3) of one dimension ($2) of a banca ($1), from $4 to $5, and of each the last day before
-- these, for what it carries on. $6: as if no seller had ever been reset: with what that left out, and openings that
-- follow from it, for which all earlier days are looked at.
--
-- corrections: what was posted on the day: [its day, cents of sales, payouts, the listero's commission, the seller's, paid,
-- collected, and together, tickets, instant].
WITH entity AS MATERIALIZED (
    SELECT e.id, (SELECT max(s.business_date) FROM statements s
                   WHERE s.banca_id = $1 AND s.dimension = $2::text::statement_dimension AND s.entity_id = e.id
                     AND s.settled_at IS NOT NULL) AS settled_through
      FROM unnest($3::uuid[]) AS e (id)
), day AS (
    SELECT e.settled_through, s.*,
           coalesce(u.sales_cents, 0) AS cut_sales, coalesce(u.payouts_cents, 0) AS cut_payouts,
           coalesce(u.listero_commission_cents, 0) AS cut_listero, coalesce(u.vendedor_commission_cents, 0) AS cut_vendedor,
           coalesce(u.paid_cents, 0) AS cut_paid, coalesce(u.collected_cents, 0) AS cut_collected,
           coalesce(u.ticket_count, 0) AS cut_tickets
      FROM entity e
     CROSS JOIN LATERAL (
          (SELECT s.* FROM statements s
            WHERE s.banca_id = $1 AND s.dimension = $2::text::statement_dimension AND s.entity_id = e.id
              AND s.business_date < $4
            ORDER BY s.business_date DESC LIMIT CASE WHEN $6 THEN NULL ELSE 1 END)
          UNION ALL
          SELECT s.* FROM statements s
           WHERE s.banca_id = $1 AND s.dimension = $2::text::statement_dimension AND s.entity_id = e.id
             AND s.business_date BETWEEN $4 AND $5) s
      LEFT JOIN statement_cuts u ON $6 AND u.banca_id = $1 AND u.vendedor_id = e.id AND u.business_date = s.business_date
), chained AS (
    SELECT d.*, b.cut_balance, lead(d.business_date) OVER days AS next_date,
           CASE WHEN $6 THEN capped_cents(coalesce(
                          sum(d.closing_cents::numeric - d.opening_cents + b.cut_balance + d.cut_paid - d.cut_collected)
                          OVER (days ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))
                ELSE d.opening_cents END AS told_opening_cents
      FROM day d
     CROSS JOIN LATERAL (SELECT d.cut_sales - d.cut_payouts - d.cut_vendedor AS cut_balance) b
    WINDOW days AS (PARTITION BY d.entity_id ORDER BY d.business_date)
)
SELECT t.entity_id, t.business_date, t.settled_at, t.settled_through, t.created_at, t.updated_at, c.corrections,
       t.told_opening_cents AS opening_cents,
       t.sales_cents + t.cut_sales AS sales_cents, t.payouts_cents + t.cut_payouts AS payouts_cents,
       t.listero_commission_cents + t.cut_listero AS listero_commission_cents,
       t.vendedor_commission_cents + t.cut_vendedor AS vendedor_commission_cents,
       t.balance_cents + t.cut_balance AS balance_cents, t.corrections_cents,
       t.paid_cents + t.cut_paid AS paid_cents, t.collected_cents + t.cut_collected AS collected_cents,
       t.ticket_count + t.cut_tickets AS ticket_count
  FROM chained t
 CROSS JOIN LATERAL (
      SELECT json_agg(json_build_array(
                 c.business_date, c.sales_cents, c.payouts_cents, c.listero_commission_cents,
                 c.vendedor_commission_cents, c.paid_cents, c.collected_cents, c.net_cents, c.ticket_count,
                 c.created_at) ORDER BY c.ordinal) AS corrections
        FROM statement_corrections c
       WHERE c.banca_id = $1 AND c.dimension = $2::text::statement_dimension AND c.entity_id = t.entity_id
         AND c.posted_on = t.business_date) c
 WHERE t.business_date >= $4 OR t.next_date IS NULL OR t.next_date >= $4
 ORDER BY t.entity_id, t.business_date
