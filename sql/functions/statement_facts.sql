-- What days of sellers, ventanas and the banca come to, from the draws that are evaluated, the movements and the write-offs
-- that stand. A write-off is a prize that the bank pays, on the day that it was written off.
--
-- Takes   parallel arrays: days of entities, each once.
-- Gives   a row for each. Of a seller without what a reset left out, which the cut_… columns tell.
-- Plans   look each thing up by its key, apart from the others (OFFSET 0): of a banca that the statistics have not seen the
--         planner believes that all is empty, and would try each draw's takings with each result.
-- Source  a ticket counts on the day of its draw while a result of that stands, a movement on its own day (§5.2).
DROP FUNCTION IF EXISTS statement_facts;
CREATE FUNCTION statement_facts(p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[])
RETURNS TABLE (
    dimension statement_dimension, entity_id uuid, business_date date, sales_cents bigint, payouts_cents bigint,
    listero_cents bigint, vendedor_cents bigint, tickets integer, paid_cents bigint, collected_cents bigint,
    is_cut boolean, cut_sales_cents bigint, cut_payouts_cents bigint, cut_listero_cents bigint,
    cut_vendedor_cents bigint, cut_tickets integer, cut_paid_cents bigint, cut_collected_cents bigint
)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT a.dimension, a.entity_id, a.business_date, z.at AS reset_at,
               -- No movement is older than a reset on an earlier day.
               CASE WHEN a.business_date = z.business_date THEN z.at END AS reset_that_day_at
          FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
          LEFT JOIN LATERAL (
               SELECT z.business_date, CASE WHEN a.business_date = ANY (z.cut_days) THEN z.at END AS at
                 FROM balance_resets z
                WHERE a.dimension = 'VENDEDOR' AND z.banca_id = p_banca AND z.vendedor_id = a.entity_id
                  AND z.business_date <= a.business_date AND z.reverted_at IS NULL
                ORDER BY z.at DESC LIMIT 1) z ON true
    ), taking AS (
        -- Each dimension by an index of its own: the days of one seller cost no more where there are thousands.
        SELECT a.dimension, a.entity_id, a.business_date, k.*
          FROM asked a
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents,
                     ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND vendedor_id = a.entity_id AND business_date = a.business_date
              OFFSET 0) k
         WHERE a.dimension = 'VENDEDOR'
        UNION ALL
        SELECT a.dimension, a.entity_id, a.business_date, k.*
          FROM asked a
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents,
                     ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND ventana_id = a.entity_id AND business_date = a.business_date
              OFFSET 0) k
         WHERE a.dimension = 'VENTANA'
        UNION ALL
        SELECT a.dimension, a.entity_id, a.business_date, k.*
          FROM asked a
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents,
                     ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND business_date = a.business_date
              OFFSET 0) k
         WHERE a.dimension = 'BANCA'
    ), summed AS MATERIALIZED (
        SELECT k.dimension, k.entity_id, k.business_date, sum(k.sales_cents)::bigint AS sales,
               sum(k.payouts_cents)::bigint AS payouts, sum(k.listero_commission_cents)::bigint AS listero,
               sum(k.vendedor_commission_cents)::bigint AS vendedor, sum(k.ticket_count)::integer AS tickets
          FROM taking k
         CROSS JOIN LATERAL (
              SELECT FROM sorteo_results
               WHERE banca_id = p_banca AND sorteo_id = k.sorteo_id AND evaluation = k.evaluation
                 AND state IN ('DONE', 'REVERTING') AND settled_at IS NOT NULL
              OFFSET 0) r
         GROUP BY k.dimension, k.entity_id, k.business_date
    ), moved AS MATERIALIZED (
        SELECT a.dimension, a.entity_id, a.business_date,
               coalesce(sum(m.amount_cents) FILTER (WHERE m.type = 'payment'), 0)::bigint AS paid,
               coalesce(sum(m.amount_cents) FILTER (WHERE m.type = 'collection'), 0)::bigint AS collected,
               coalesce(sum(m.amount_cents) FILTER (
                   WHERE m.type = 'payment' AND m.created_at < a.reset_that_day_at), 0)::bigint AS cut_paid,
               coalesce(sum(m.amount_cents) FILTER (
                   WHERE m.type = 'collection' AND m.created_at < a.reset_that_day_at), 0)::bigint AS cut_collected
          FROM asked a
          JOIN movements m ON m.banca_id = p_banca AND m.business_date = a.business_date
               AND m.dimension = a.dimension AND m.entity_id = a.entity_id AND m.reversed_at IS NULL
         GROUP BY a.dimension, a.entity_id, a.business_date
    ), cut AS MATERIALIZED (
        SELECT a.entity_id, a.business_date, sum(j.sales)::bigint AS sales, coalesce(sum(p.payouts), 0)::bigint AS payouts,
               sum(j.listero)::bigint AS listero, sum(j.own)::bigint AS vendedor, count(*)::integer AS tickets
          FROM asked a
          JOIN tickets t ON t.banca_id = p_banca AND t.vendedor_id = a.entity_id AND t.business_date = a.business_date
               AND t.created_at < a.reset_at AND t.status = 'ACTIVE'
          JOIN sorteo_results r ON r.banca_id = p_banca AND r.sorteo_id = t.sorteo_id
               AND r.state IN ('DONE', 'REVERTING') AND r.settled_at IS NOT NULL
         CROSS JOIN LATERAL (
              SELECT sum(j.amount_cents) AS sales, sum(j.listero_commission_cents) AS listero,
                     coalesce(sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER'), 0) AS own
                FROM jugadas j
               WHERE j.banca_id = p_banca AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
                 AND j.sequence = t.sequence AND j.exclusion_id IS NULL) j
         CROSS JOIN LATERAL (
              SELECT sum(p.amount_cents) AS payouts FROM prizes p
               WHERE p.banca_id = p_banca AND p.business_date = t.business_date AND p.sorteo_id = t.sorteo_id
                 AND p.sequence = t.sequence AND p.evaluation = r.evaluation) p
         WHERE a.dimension = 'VENDEDOR' AND a.reset_at IS NOT NULL
         GROUP BY a.entity_id, a.business_date
    ), off AS MATERIALIZED (
        SELECT * FROM written_off(p_banca, p_dimensions, p_entities, p_days)
    )
    SELECT a.dimension, a.entity_id, a.business_date,
           coalesce(s.sales, 0) - coalesce(c.sales, 0),
           coalesce(s.payouts, 0) - coalesce(c.payouts, 0) + coalesce(w.cents, 0) - coalesce(w.cut_cents, 0),
           coalesce(s.listero, 0) - coalesce(c.listero, 0), coalesce(s.vendedor, 0) - coalesce(c.vendedor, 0),
           coalesce(s.tickets, 0) - coalesce(c.tickets, 0),
           coalesce(m.paid, 0) - coalesce(m.cut_paid, 0), coalesce(m.collected, 0) - coalesce(m.cut_collected, 0),
           coalesce(c.tickets, 0) > 0 OR coalesce(m.cut_paid, 0) > 0 OR coalesce(m.cut_collected, 0) > 0
               OR coalesce(w.cut_cents, 0) > 0,
           coalesce(c.sales, 0), coalesce(c.payouts, 0) + coalesce(w.cut_cents, 0), coalesce(c.listero, 0),
           coalesce(c.vendedor, 0),
           coalesce(c.tickets, 0), coalesce(m.cut_paid, 0), coalesce(m.cut_collected, 0)
      FROM asked a
      LEFT JOIN summed s ON s.dimension = a.dimension AND s.entity_id = a.entity_id AND s.business_date = a.business_date
      LEFT JOIN moved m ON m.dimension = a.dimension AND m.entity_id = a.entity_id AND m.business_date = a.business_date
      LEFT JOIN cut c ON a.dimension = 'VENDEDOR' AND c.entity_id = a.entity_id AND c.business_date = a.business_date
      LEFT JOIN off w ON w.dimension = a.dimension AND w.entity_id = a.entity_id AND w.business_date = a.business_date;
END $$;
ALTER FUNCTION statement_facts OWNER TO banca_definer;
REVOKE ALL ON FUNCTION statement_facts FROM PUBLIC;
