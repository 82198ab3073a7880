-- Settlement: days that are old enough are closed for ever; and balances carried to days on which nothing happens.

-- Whether the day, or one before it, waits to be computed anew.
DROP FUNCTION IF EXISTS is_to_compute;
CREATE FUNCTION is_to_compute(p_banca uuid, p_dimension statement_dimension, p_entity uuid, p_day date) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (SELECT FROM statement_work w
                    WHERE w.banca_id = p_banca AND w.dimension = p_dimension AND w.entity_id = p_entity
                      AND w.business_date <= p_day)
$$;

-- Settles the next p_limit days before p_before on which tickets were sold, the oldest first, whatever they come to; but
-- for those that wait to be computed anew, or days before them, so that nothing is closed that is known to be wrong.
--
-- Takes   p_by: who asked for it; null: nobody; p_after: what an earlier call gave as last.
-- Gives   how many were settled; how many were passed over; how many are left, those that were passed over or failed
--         included; failures: as in sql/functions/attempt_statements.sql; last: null when there are no more.
-- Locks   the statements of the entities: so many places of the server's lock table, which all share. The caller takes
--         no more days than fit.
DROP FUNCTION IF EXISTS settle_statements;
CREATE FUNCTION settle_statements(p_banca uuid, p_before date, p_limit integer, p_by uuid, p_after jsonb DEFAULT NULL)
RETURNS TABLE (settled integer, skipped integer, pending bigint, failures jsonb, last jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_entities uuid[];
    v_days date[];
    v_dimensions statement_dimension[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT array_agg(s.dimension), array_agg(s.entity_id), array_agg(s.business_date)
      INTO v_dimensions, v_entities, v_days
      FROM (SELECT s.dimension, s.entity_id, s.business_date FROM statements s
             WHERE s.banca_id = p_banca AND s.business_date < p_before AND s.settled_at IS NULL AND s.ticket_count > 0
               AND NOT is_to_compute(p_banca, s.dimension, s.entity_id, s.business_date)
               AND (p_after IS NULL
                    OR (s.business_date, s.dimension, s.entity_id)
                       > ((p_after->>0)::date, (p_after->>1)::statement_dimension, (p_after->>2)::uuid))
             ORDER BY s.business_date, s.dimension, s.entity_id LIMIT p_limit) s;
    PERFORM lock_statements(v_entities);
    SELECT a.done, a.failures INTO settled, failures
      FROM attempt_statements('SETTLE', p_banca, v_dimensions, v_entities, v_days, NULL, p_by) a;
    IF cardinality(v_days) = p_limit THEN
        last := jsonb_build_array(v_days[p_limit], v_dimensions[p_limit], v_entities[p_limit]);
    END IF;
    SELECT count(*) INTO skipped
      FROM (SELECT w.dimension, w.entity_id, min(w.business_date) AS since FROM statement_work w
             WHERE w.banca_id = p_banca AND w.business_date < p_before GROUP BY w.dimension, w.entity_id) w
      JOIN statements s ON s.banca_id = p_banca AND s.dimension = w.dimension AND s.entity_id = w.entity_id
           AND s.business_date >= w.since AND s.business_date < p_before AND s.settled_at IS NULL AND s.ticket_count > 0;
    SELECT count(*) INTO pending FROM statements s
     WHERE s.banca_id = p_banca AND s.business_date < p_before AND s.settled_at IS NULL AND s.ticket_count > 0;
    RETURN NEXT;
END $$;

-- Settles these days. The caller holds their statements, and what it waited for may have changed them.
DROP FUNCTION IF EXISTS settle_days;
CREATE FUNCTION settle_days(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_by uuid
) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
    v_settled integer;
BEGIN
    UPDATE statements s SET settled_at = v_at, settled_by = p_by, updated_at = v_at
      FROM unnest(p_dimensions, p_entities, p_days) AS d (dimension, entity_id, business_date)
     WHERE s.banca_id = p_banca AND s.dimension = d.dimension AND s.entity_id = d.entity_id
       AND s.business_date = d.business_date AND s.settled_at IS NULL AND s.ticket_count > 0
       AND NOT is_to_compute(p_banca, d.dimension, d.entity_id, d.business_date);
    GET DIAGNOSTICS v_settled = ROW_COUNT;
    RETURN v_settled;
END $$;

-- A row on p_day for the next p_limit of the active sellers, ventanas and the banca (by id, after p_after) that owe or are
-- owed something and have none that day: it begins and ends with what the last day closed with.
--
-- Gives   how many were made, how many need none, the last one that was looked at (null: there are no more), and
--         failures: as in sql/functions/attempt_statements.sql.
DROP FUNCTION IF EXISTS carry_forward;
CREATE FUNCTION carry_forward(p_banca uuid, p_day date, p_after uuid DEFAULT NULL, p_limit integer DEFAULT 1000)
RETURNS TABLE (created integer, skipped integer, last uuid, failures jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_entities uuid[];
    v_dimensions statement_dimension[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT array_agg(e.dimension), array_agg(e.id) INTO v_dimensions, v_entities
      FROM (SELECT e.dimension, e.id
              FROM (SELECT 'VENDEDOR'::statement_dimension AS dimension, u.id FROM users u
                     WHERE u.banca_id = p_banca AND u.role = 'VENDEDOR' AND u.is_active
                    UNION ALL
                    SELECT 'VENTANA', v.id FROM ventanas v WHERE v.banca_id = p_banca AND v.is_active
                    UNION ALL
                    SELECT 'BANCA', b.id FROM bancas b WHERE b.id = p_banca AND b.is_active) e
             WHERE e.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
             ORDER BY e.id LIMIT p_limit) e;
    last := CASE WHEN cardinality(v_entities) = p_limit THEN v_entities[p_limit] END;
    skipped := coalesce(cardinality(v_entities), 0);
    PERFORM lock_statements(v_entities);
    SELECT array_agg(e.dimension), array_agg(e.id) INTO v_dimensions, v_entities
      FROM unnest(v_dimensions, v_entities) AS e (dimension, id)
     CROSS JOIN LATERAL (
          SELECT s.business_date, s.closing_cents FROM statements s
           WHERE s.banca_id = p_banca AND s.dimension = e.dimension AND s.entity_id = e.id
             AND s.business_date <= p_day
           ORDER BY s.business_date DESC LIMIT 1) s
     WHERE s.business_date < p_day AND s.closing_cents <> 0;
    skipped := skipped - coalesce(cardinality(v_entities), 0);
    SELECT a.done, a.failures INTO created, failures
      FROM attempt_statements('CARRY', p_banca, v_dimensions, v_entities,
                              array_fill(p_day, ARRAY[coalesce(cardinality(v_entities), 0)]), p_day) a;
    RETURN NEXT;
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['is_to_compute', 'settle_statements', 'settle_days', 'carry_forward'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION settle_statements, carry_forward TO banca_worker;
