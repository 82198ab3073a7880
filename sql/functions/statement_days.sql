-- The parts of rewrite_statements (sql/functions/recompute_statements.sql), which alone calls them: what closed days lack,
-- what resets left out, the days themselves, and the openings that follow from them.

-- Posts what closed days should say and do not. Gives the days on which something was posted.
DROP FUNCTION IF EXISTS correct_statements;
CREATE FUNCTION correct_statements(
    p_banca uuid, p_today date, p_at timestamptz, p_dimensions statement_dimension[], p_entities uuid[], p_days date[]
) RETURNS TABLE (dimension statement_dimension, entity_id uuid, posted_on date)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    IF coalesce(cardinality(p_days), 0) = 0 THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH missing AS (
        SELECT f.dimension, f.entity_id, f.business_date,
               greatest(p_today, closed_through(p_banca, f.dimension, f.entity_id) + 1) AS posted_on,
               f.sales_cents - coalesce(s.sales_cents, 0) - c.sales AS sales,
               f.payouts_cents - coalesce(s.payouts_cents, 0) - c.payouts AS payouts,
               f.listero_cents - coalesce(s.listero_commission_cents, 0) - c.listero AS listero,
               f.vendedor_cents - coalesce(s.vendedor_commission_cents, 0) - c.vendedor AS vendedor,
               (f.tickets - coalesce(s.ticket_count, 0) - c.tickets)::integer AS tickets,
               f.paid_cents - coalesce(s.paid_cents, 0) - c.paid AS paid,
               f.collected_cents - coalesce(s.collected_cents, 0) - c.collected AS collected
          FROM statement_facts(p_banca, p_dimensions, p_entities, p_days) f
          LEFT JOIN statements s ON s.banca_id = p_banca AND s.dimension = f.dimension AND s.entity_id = f.entity_id
               AND s.business_date = f.business_date
         CROSS JOIN LATERAL (
              SELECT coalesce(sum(c.sales_cents), 0)::bigint AS sales, coalesce(sum(c.payouts_cents), 0)::bigint AS payouts,
                     coalesce(sum(c.listero_commission_cents), 0)::bigint AS listero,
                     coalesce(sum(c.vendedor_commission_cents), 0)::bigint AS vendedor,
                     coalesce(sum(c.ticket_count), 0)::bigint AS tickets, coalesce(sum(c.paid_cents), 0)::bigint AS paid,
                     coalesce(sum(c.collected_cents), 0)::bigint AS collected
                FROM statement_corrections c
               WHERE c.banca_id = p_banca AND c.dimension = f.dimension AND c.entity_id = f.entity_id
                 AND c.business_date = f.business_date) c
    ), posted AS (
        INSERT INTO statement_corrections (
            banca_id, dimension, entity_id, posted_on, ordinal, business_date, sales_cents, payouts_cents,
            listero_commission_cents, vendedor_commission_cents, ticket_count, paid_cents, collected_cents, created_at)
        SELECT p_banca, m.dimension, m.entity_id, m.posted_on,
               (SELECT coalesce(max(c.ordinal), 0) FROM statement_corrections c
                 WHERE c.banca_id = p_banca AND c.dimension = m.dimension AND c.entity_id = m.entity_id
                   AND c.posted_on = m.posted_on)
               + row_number() OVER (PARTITION BY m.dimension, m.entity_id, m.posted_on ORDER BY m.business_date),
               m.business_date, m.sales, m.payouts, m.listero, m.vendedor, m.tickets, m.paid, m.collected, p_at
          FROM missing m
         WHERE (m.sales, m.payouts, m.listero, m.vendedor, m.tickets, m.paid, m.collected)
               IS DISTINCT FROM (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0, 0::bigint, 0::bigint)
        RETURNING dimension, entity_id, posted_on)
    SELECT DISTINCT p.dimension, p.entity_id, p.posted_on FROM posted p;
END $$;

-- What resets left out of these days, closed or not: it is told beside the day, not in it.
DROP FUNCTION IF EXISTS write_statement_cuts;
CREATE FUNCTION write_statement_cuts(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_entities uuid[];
    v_days date[];
BEGIN
    SELECT array_agg(a.entity_id), array_agg(a.business_date) INTO v_entities, v_days
      FROM (SELECT DISTINCT a.entity_id, a.business_date
              FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
             WHERE a.dimension = 'VENDEDOR'
               AND EXISTS (SELECT FROM balance_resets z WHERE z.banca_id = p_banca AND z.vendedor_id = a.entity_id)) a;
    IF v_days IS NULL THEN
        RETURN;
    END IF;
    WITH fact AS MATERIALIZED (
        SELECT * FROM statement_facts(
                   p_banca, array_fill('VENDEDOR'::statement_dimension, ARRAY[cardinality(v_days)]), v_entities, v_days)
    ), uncut AS (
        DELETE FROM statement_cuts c USING fact f
         WHERE NOT f.is_cut AND c.banca_id = p_banca AND c.vendedor_id = f.entity_id
           AND c.business_date = f.business_date
    )
    INSERT INTO statement_cuts AS c (
        banca_id, vendedor_id, business_date, sales_cents, payouts_cents, listero_commission_cents,
        vendedor_commission_cents, ticket_count, paid_cents, collected_cents)
    SELECT p_banca, f.entity_id, f.business_date, f.cut_sales_cents, f.cut_payouts_cents, f.cut_listero_cents,
           f.cut_vendedor_cents, f.cut_tickets, f.cut_paid_cents, f.cut_collected_cents
      FROM fact f WHERE f.is_cut
    ON CONFLICT (banca_id, vendedor_id, business_date) DO UPDATE
       SET (sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents, ticket_count,
            paid_cents, collected_cents)
         = (excluded.sales_cents, excluded.payouts_cents, excluded.listero_commission_cents,
            excluded.vendedor_commission_cents, excluded.ticket_count, excluded.paid_cents, excluded.collected_cents);
END $$;

-- The days themselves, whatever came before them.
DROP FUNCTION IF EXISTS write_statement_days;
CREATE FUNCTION write_statement_days(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_at timestamptz,
    p_force boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    WITH fact AS MATERIALIZED (
        SELECT f.*, coalesce((
                   SELECT sum(c.net_cents) FROM statement_corrections c
                    WHERE c.banca_id = p_banca AND c.dimension = f.dimension AND c.entity_id = f.entity_id
                      AND c.posted_on = f.business_date), 0)::bigint AS corrections_cents
          FROM statement_facts(p_banca, p_dimensions, p_entities, p_days) f
    )
    INSERT INTO statements AS s (
        banca_id, dimension, entity_id, business_date, sales_cents, payouts_cents, listero_commission_cents,
        vendedor_commission_cents, ticket_count, corrections_cents, paid_cents, collected_cents, created_at, updated_at)
    SELECT p_banca, f.dimension, f.entity_id, f.business_date, f.sales_cents, f.payouts_cents, f.listero_cents,
           f.vendedor_cents, f.tickets, f.corrections_cents, f.paid_cents, f.collected_cents, p_at, p_at
      FROM fact f
     WHERE p_force OR f.is_cut OR f.tickets > 0 OR f.payouts_cents > 0 OR f.paid_cents > 0 OR f.collected_cents > 0
        OR f.corrections_cents <> 0
        OR EXISTS (SELECT FROM statements s
                    WHERE s.banca_id = p_banca AND s.dimension = f.dimension AND s.entity_id = f.entity_id
                      AND s.business_date = f.business_date)
    ON CONFLICT (banca_id, dimension, entity_id, business_date) DO UPDATE
       SET (sales_cents, payouts_cents, listero_commission_cents, vendedor_commission_cents, ticket_count,
            corrections_cents, paid_cents, collected_cents, updated_at)
         = (excluded.sales_cents, excluded.payouts_cents, excluded.listero_commission_cents,
            excluded.vendedor_commission_cents, excluded.ticket_count, excluded.corrections_cents,
            excluded.paid_cents, excluded.collected_cents, excluded.updated_at)
     WHERE (s.sales_cents, s.payouts_cents, s.listero_commission_cents, s.vendedor_commission_cents, s.ticket_count,
            s.corrections_cents, s.paid_cents, s.collected_cents)
           IS DISTINCT FROM
           (excluded.sales_cents, excluded.payouts_cents, excluded.listero_commission_cents,
            excluded.vendedor_commission_cents, excluded.ticket_count, excluded.corrections_cents,
            excluded.paid_cents, excluded.collected_cents);
END $$;

-- The openings from the first of these days on, in one statement: what the day before closed with, 0 after a reset.
DROP FUNCTION IF EXISTS chain_statements;
CREATE FUNCTION chain_statements(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_at timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    -- By the banca of a row: the planner takes one that no statistics know for empty, and any index will do then.
    WITH asked AS MATERIALIZED (
        SELECT p_banca AS banca_id, a.dimension, a.entity_id, min(a.business_date) AS since
          FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
         GROUP BY a.dimension, a.entity_id
    ), touched AS MATERIALIZED (
        -- The day before, and its epoch: how often the statement had begun at 0 again.
        SELECT a.*, z.resets, p.closing_cents AS carried_cents, width_bucket(p.business_date, z.resets) AS carried_epoch
          FROM asked a
         CROSS JOIN LATERAL (SELECT resets_of(a.banca_id, a.dimension, a.entity_id) AS resets OFFSET 0) z
          LEFT JOIN LATERAL (
               SELECT s.business_date, s.closing_cents FROM statements s
                WHERE s.banca_id = a.banca_id AND s.dimension = a.dimension AND s.entity_id = a.entity_id
                  AND s.business_date < a.since
                ORDER BY s.business_date DESC LIMIT 1) p ON true
    ), chained AS (
        SELECT d.place, d.opening_cents AS told_cents,
               CASE WHEN d.epoch = t.carried_epoch THEN t.carried_cents ELSE 0 END
               + coalesce(sum(d.net_cents) OVER (
                     PARTITION BY t.dimension, t.entity_id, d.epoch ORDER BY d.business_date
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS opening_cents
          FROM touched t
         CROSS JOIN LATERAL (
              SELECT s.ctid AS place, s.business_date, s.opening_cents, s.closing_cents - s.opening_cents AS net_cents,
                     width_bucket(s.business_date, t.resets) AS epoch
                FROM statements s
               WHERE s.banca_id = t.banca_id AND s.dimension = t.dimension AND s.entity_id = t.entity_id
                 AND s.business_date >= t.since
              OFFSET 0) d
    )
    -- Nobody else writes these rows while the caller holds the entities' statements.
    UPDATE statements s SET opening_cents = c.opening_cents, updated_at = p_at
      FROM chained c
     WHERE s.ctid = c.place AND c.opening_cents <> c.told_cents;
END $$;

-- The days on which the entity's statement began at 0 again, in order.
DROP FUNCTION IF EXISTS resets_until;
DROP FUNCTION IF EXISTS resets_of;
CREATE FUNCTION resets_of(p_banca uuid, p_dimension statement_dimension, p_entity uuid) RETURNS date[]
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(array_agg(z.business_date ORDER BY z.business_date), '{}') FROM balance_resets z
     WHERE p_dimension = 'VENDEDOR' AND z.banca_id = p_banca AND z.vendedor_id = p_entity AND z.reverted_at IS NULL
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['correct_statements', 'write_statement_cuts', 'write_statement_days',
                                         'chain_statements', 'resets_of'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
