-- Closings of months: what every entity that was active in a month owed when it began, what happened, and what it owed
-- when it ended; from the tickets and movements, not from the days' statements, so that the two prove each other.

-- Closes the month for the next p_limit entities of the dimension, those after p_after. Doing it again changes nothing
-- but what changed. Of whom it cannot be closed the month's first day is asked of the workers, who close it with that day
-- as soon as it can be.
--
-- Gives   how many were closed, the last entity that was looked at (null: there are no more), and failures: as in
--         sql/functions/attempt_statements.sql.
-- Locks   the first time the banca's months, so that whoever begins to have days from then on finds the month closed
--         → the statements of the entities.
DROP FUNCTION IF EXISTS close_month;
CREATE FUNCTION close_month(
    p_banca uuid, p_month date, p_dimension text, p_after uuid DEFAULT NULL, p_limit integer DEFAULT 100
) RETURNS TABLE (closed integer, last uuid, failures jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_dimension statement_dimension := p_dimension;
    v_month date := date_trunc('month', p_month);
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
    v_entities uuid[];
    v_count integer;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF NOT EXISTS (SELECT FROM closed_months m WHERE m.banca_id = p_banca AND m.month = v_month) THEN
        PERFORM pg_advisory_xact_lock(hashtext('banca.months'), hashtext(p_banca::text));
        INSERT INTO closed_months (banca_id, month, closed_at) VALUES (p_banca, v_month, v_at) ON CONFLICT DO NOTHING;
    END IF;
    WITH RECURSIVE entity AS (
        (SELECT s.entity_id FROM statements s
          WHERE s.banca_id = p_banca AND s.dimension = v_dimension
            AND s.entity_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
          ORDER BY s.entity_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.entity_id FROM statements s
                 WHERE s.banca_id = p_banca AND s.dimension = v_dimension AND s.entity_id > e.entity_id
                 ORDER BY s.entity_id LIMIT 1)
          FROM entity e WHERE e.entity_id IS NOT NULL)
    SELECT array_agg(x.entity_id) INTO v_entities
      FROM (SELECT e.entity_id FROM entity e WHERE e.entity_id IS NOT NULL LIMIT p_limit) x;
    v_count := coalesce(cardinality(v_entities), 0);
    last := CASE WHEN v_count = p_limit THEN v_entities[p_limit] END;
    PERFORM lock_statements(v_entities);
    SELECT a.done, a.failures INTO closed, failures
      FROM attempt_statements('CLOSE', p_banca, array_fill(v_dimension, ARRAY[v_count]), v_entities,
                              array_fill(v_month, ARRAY[v_count]), NULL) a;
    INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
    SELECT p_banca, v_dimension, (f->>'entityId')::uuid, v_month FROM jsonb_array_elements(failures) AS f;
    RETURN NEXT;
END $$;

-- The closings of entities of one dimension; who neither did nor owed anything has none. The caller holds their statements.
DROP FUNCTION IF EXISTS write_closings;
CREATE FUNCTION write_closings(
    p_banca uuid, p_month date, p_dimension statement_dimension, p_entities uuid[], p_at timestamptz
) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_next date := p_month + interval '1 month';
    v_written integer;
BEGIN
    WITH taking AS (
        -- Each dimension by an index of its own, and each result by its key: see statement_facts.
        SELECT e.id AS entity_id, k.*
          FROM unnest(p_entities) AS e (id)
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, vendedor_commission_cents AS commission, ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND vendedor_id = e.id AND business_date >= p_month AND business_date < v_next
              OFFSET 0) k
         WHERE p_dimension = 'VENDEDOR'
        UNION ALL
        SELECT e.id AS entity_id, k.*
          FROM unnest(p_entities) AS e (id)
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, listero_commission_cents AS commission, ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND ventana_id = e.id AND business_date >= p_month AND business_date < v_next
              OFFSET 0) k
         WHERE p_dimension = 'VENTANA'
        UNION ALL
        SELECT e.id AS entity_id, k.*
          FROM unnest(p_entities) AS e (id)
         CROSS JOIN LATERAL (
              SELECT sorteo_id, evaluation, sales_cents, payouts_cents, listero_commission_cents AS commission, ticket_count
                FROM sorteo_takings
               WHERE banca_id = (SELECT p_banca) AND business_date >= p_month AND business_date < v_next
              OFFSET 0) k
         WHERE p_dimension = 'BANCA'
    ), taken AS MATERIALIZED (
        SELECT k.entity_id, sum(k.sales_cents) AS sales, sum(k.payouts_cents) AS payouts,
               sum(k.commission) AS commission, sum(k.ticket_count) AS tickets
          FROM taking k
         CROSS JOIN LATERAL (
              SELECT FROM sorteo_results
               WHERE banca_id = p_banca AND sorteo_id = k.sorteo_id AND evaluation = k.evaluation
                 AND state IN ('DONE', 'REVERTING') AND settled_at IS NOT NULL
              OFFSET 0) r
         GROUP BY k.entity_id
    ), off AS MATERIALIZED (
        SELECT w.entity_id, sum(w.amount_cents) AS payouts
          FROM (SELECT CASE p_dimension WHEN 'VENDEDOR' THEN e.vendedor_id WHEN 'VENTANA' THEN e.ventana_id
                                        ELSE e.banca_id END AS entity_id, e.amount_cents
                  FROM cash_memo_entries e
                 WHERE e.banca_id = p_banca AND e.posted_on >= p_month AND e.posted_on < v_next
                   AND e.reversed_at IS NULL) w
         WHERE w.entity_id = ANY (p_entities)
         GROUP BY w.entity_id
    ), moved AS MATERIALIZED (
        SELECT m.entity_id, sum(m.amount_cents) FILTER (WHERE m.type = 'payment') AS paid,
               sum(m.amount_cents) FILTER (WHERE m.type = 'collection') AS collected
          FROM movements m
         WHERE m.banca_id = p_banca AND m.dimension = p_dimension AND m.business_date >= p_month
           AND m.business_date < v_next AND m.reversed_at IS NULL
         GROUP BY m.entity_id
    ), cut AS MATERIALIZED (
        SELECT c.vendedor_id AS entity_id, sum(c.sales_cents) AS sales, sum(c.payouts_cents) AS payouts,
               sum(c.vendedor_commission_cents) AS commission, sum(c.ticket_count) AS tickets,
               sum(c.paid_cents) AS paid, sum(c.collected_cents) AS collected
          FROM statement_cuts c
         WHERE p_dimension = 'VENDEDOR' AND c.banca_id = p_banca AND c.business_date >= p_month
           AND c.business_date < v_next
         GROUP BY c.vendedor_id
    ), corrected AS MATERIALIZED (
        -- What was found out about days of this month after they were closed is told on the day that it was posted on.
        SELECT c.entity_id, sum(c.sales_cents) AS sales, sum(c.payouts_cents) AS payouts,
               sum(CASE p_dimension WHEN 'VENDEDOR' THEN c.vendedor_commission_cents
                                    ELSE c.listero_commission_cents END) AS commission,
               sum(c.ticket_count) AS tickets, sum(c.paid_cents) AS paid, sum(c.collected_cents) AS collected
          FROM statement_corrections c
         WHERE c.banca_id = p_banca AND c.dimension = p_dimension AND c.business_date >= p_month
           AND c.business_date < v_next
         GROUP BY c.entity_id
    ), posted AS MATERIALIZED (
        SELECT c.entity_id, sum(c.net_cents) AS net FROM statement_corrections c
         WHERE c.banca_id = p_banca AND c.dimension = p_dimension AND c.posted_on >= p_month AND c.posted_on < v_next
         GROUP BY c.entity_id
    ), month AS (
        SELECT e.entity_id, coalesce(o.closing_cents, 0) AS opening, coalesce(z.closing_cents, 0) AS closing,
               coalesce(z.business_date >= p_month, false) AS is_active,
               coalesce(t.sales, 0) - coalesce(u.sales, 0) - coalesce(c.sales, 0) AS sales,
               coalesce(t.payouts, 0) + coalesce(w.payouts, 0) - coalesce(u.payouts, 0) - coalesce(c.payouts, 0) AS payouts,
               coalesce(t.commission, 0) - coalesce(u.commission, 0) - coalesce(c.commission, 0) AS commission,
               coalesce(t.tickets, 0) - coalesce(u.tickets, 0) - coalesce(c.tickets, 0) AS tickets,
               coalesce(m.paid, 0) - coalesce(u.paid, 0) - coalesce(c.paid, 0) AS paid,
               coalesce(m.collected, 0) - coalesce(u.collected, 0) - coalesce(c.collected, 0) AS collected,
               coalesce(p.net, 0) AS corrections,
               is_reset_in(p_banca, p_dimension, e.entity_id, p_month) AS is_reset
          FROM unnest(p_entities) AS e (entity_id)
          LEFT JOIN taken t ON t.entity_id = e.entity_id
          LEFT JOIN off w ON w.entity_id = e.entity_id
          LEFT JOIN moved m ON m.entity_id = e.entity_id
          LEFT JOIN cut u ON u.entity_id = e.entity_id
          LEFT JOIN corrected c ON c.entity_id = e.entity_id
          LEFT JOIN posted p ON p.entity_id = e.entity_id
          LEFT JOIN LATERAL (
               SELECT s.closing_cents FROM statements s
                WHERE s.banca_id = p_banca AND s.dimension = p_dimension AND s.entity_id = e.entity_id
                  AND s.business_date < p_month
                ORDER BY s.business_date DESC LIMIT 1) o ON true
          LEFT JOIN LATERAL (
               SELECT s.closing_cents, s.business_date FROM statements s
                WHERE s.banca_id = p_banca AND s.dimension = p_dimension AND s.entity_id = e.entity_id
                  AND s.business_date < v_next
                ORDER BY s.business_date DESC LIMIT 1) z ON true
    ), written AS (
        INSERT INTO monthly_closings AS k (
            banca_id, month, dimension, entity_id, opening_cents, sales_cents, payouts_cents, commission_cents,
            corrections_cents, paid_cents, collected_cents, ticket_count, reset_cents, closing_cents, closed_at, updated_at)
        SELECT p_banca, p_month, p_dimension, m.entity_id, m.opening, m.sales, m.payouts, m.commission, m.corrections,
               m.paid, m.collected, m.tickets, r.cents,
               m.opening + m.sales - m.payouts - m.commission + m.corrections + m.paid - m.collected + r.cents, p_at, p_at
          FROM month m
         CROSS JOIN LATERAL (
              SELECT CASE WHEN m.is_reset THEN m.closing - m.opening - m.sales + m.payouts + m.commission
                                               - m.corrections - m.paid + m.collected ELSE 0 END AS cents) r
         WHERE m.is_active OR m.opening <> 0 OR m.closing <> 0 OR m.tickets > 0 OR m.paid > 0 OR m.collected > 0
            OR EXISTS (SELECT FROM monthly_closings k
                        WHERE k.banca_id = p_banca AND k.month = p_month AND k.dimension = p_dimension
                          AND k.entity_id = m.entity_id)
        ON CONFLICT (banca_id, month, dimension, entity_id) DO UPDATE
           SET (opening_cents, sales_cents, payouts_cents, commission_cents, corrections_cents, paid_cents,
                collected_cents, ticket_count, reset_cents, closing_cents, updated_at)
             = (excluded.opening_cents, excluded.sales_cents, excluded.payouts_cents, excluded.commission_cents,
                excluded.corrections_cents, excluded.paid_cents, excluded.collected_cents, excluded.ticket_count,
                excluded.reset_cents, excluded.closing_cents,
                CASE WHEN (k.opening_cents, k.sales_cents, k.payouts_cents, k.commission_cents, k.corrections_cents,
                           k.paid_cents, k.collected_cents, k.ticket_count, k.reset_cents)
                          IS DISTINCT FROM
                          (excluded.opening_cents, excluded.sales_cents, excluded.payouts_cents,
                           excluded.commission_cents, excluded.corrections_cents, excluded.paid_cents,
                           excluded.collected_cents, excluded.ticket_count, excluded.reset_cents)
                     THEN excluded.updated_at ELSE k.updated_at END)
        RETURNING 1)
    SELECT count(*) INTO v_written FROM written;
    RETURN v_written;
END $$;

-- The closings of the closed months that these days belong to; of the later ones only what they begin and end with. The
-- caller holds the entities' statements.
DROP FUNCTION IF EXISTS renew_closings;
CREATE FUNCTION renew_closings(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_at timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM write_closings(p_banca, k.month, k.dimension, k.entities, p_at)
       FROM (SELECT m.month, a.dimension, array_agg(DISTINCT a.entity_id) AS entities
               FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
               JOIN closed_months m ON m.banca_id = p_banca AND m.month = date_trunc('month', a.business_date)::date
              GROUP BY m.month, a.dimension) k;
    -- After a reset a month ends with the same, whatever it began with.
    UPDATE monthly_closings k
       SET opening_cents = l.opening_cents, updated_at = p_at,
           reset_cents = CASE WHEN l.is_reset THEN k.reset_cents + k.opening_cents - l.opening_cents ELSE 0 END,
           closing_cents = CASE WHEN l.is_reset THEN k.closing_cents ELSE l.opening_cents + k.movement_cents END
      FROM later_months(p_banca, p_dimensions, p_entities, p_days) l
     WHERE k.banca_id = p_banca AND k.month = l.month AND k.dimension = l.dimension AND k.entity_id = l.entity_id
       AND k.opening_cents <> l.opening_cents;
    -- Who did nothing in a month, and now owes something as it begins.
    PERFORM write_closings(p_banca, k.month, k.dimension, k.entities, p_at)
       FROM (SELECT l.month, l.dimension, array_agg(l.entity_id) AS entities
               FROM later_months(p_banca, p_dimensions, p_entities, p_days) l
              WHERE l.opening_cents <> 0 AND NOT EXISTS (
                    SELECT FROM monthly_closings k
                     WHERE k.banca_id = p_banca AND k.month = l.month AND k.dimension = l.dimension
                       AND k.entity_id = l.entity_id)
              GROUP BY l.month, l.dimension) k;
END $$;

-- Whether the entity's statement began at 0 again in this month.
DROP FUNCTION IF EXISTS is_reset_in;
CREATE FUNCTION is_reset_in(p_banca uuid, p_dimension statement_dimension, p_entity uuid, p_month date) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT p_dimension = 'VENDEDOR' AND EXISTS (
        SELECT FROM balance_resets b
         WHERE b.banca_id = p_banca AND b.vendedor_id = p_entity AND b.business_date >= p_month
           AND b.business_date < p_month + interval '1 month' AND b.reverted_at IS NULL)
$$;

-- The closed months after the first of these days' month, with what each begins with.
DROP FUNCTION IF EXISTS later_months;
CREATE FUNCTION later_months(p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[])
RETURNS TABLE (dimension statement_dimension, entity_id uuid, month date, opening_cents bigint, is_reset boolean)
LANGUAGE sql STABLE
AS $$
    SELECT t.dimension, t.entity_id, m.month, coalesce(o.closing_cents, 0),
           is_reset_in(p_banca, t.dimension, t.entity_id, m.month)
      FROM (SELECT a.dimension, a.entity_id, min(a.business_date) AS since
              FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
             GROUP BY a.dimension, a.entity_id) t
      JOIN closed_months m ON m.banca_id = p_banca AND m.month > t.since
      LEFT JOIN LATERAL (
           SELECT s.closing_cents FROM statements s
            WHERE s.banca_id = p_banca AND s.dimension = t.dimension AND s.entity_id = t.entity_id
              AND s.business_date < m.month
            ORDER BY s.business_date DESC LIMIT 1) o ON true
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['close_month', 'write_closings', 'renew_closings', 'later_months',
                                         'is_reset_in'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION close_month TO banca_worker;
