-- Statements, computed anew from what happened. A day never remembers what it was: it is what its draws and movements come
-- to, so that work may be done twice, late, in any order, and by whoever comes.

-- Computes the days that wait, at most p_limit requests of them; each day once, however often it was asked for.
--
-- Takes   p_at: a test's time; else the database's clock says what today is.
-- Gives   how many requests were worked off; 0: nothing waits, or others are at all of it.
-- Locks   requests, passing over those that others hold → the banca's months, shared → the statements of each entity, in
--         one order.
DROP FUNCTION IF EXISTS recompute_statements;
CREATE FUNCTION recompute_statements(p_banca uuid, p_limit integer, p_at timestamptz DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_ids bigint[];
    v_dimensions statement_dimension[];
    v_entities uuid[];
    v_days date[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT array_agg(w.id) INTO v_ids
      FROM (SELECT w.id FROM statement_work w WHERE w.banca_id = p_banca ORDER BY w.id LIMIT p_limit
               FOR UPDATE SKIP LOCKED) w;
    IF v_ids IS NULL THEN
        RETURN 0;
    END IF;
    SELECT array_agg(w.dimension), array_agg(w.entity_id), array_agg(w.business_date)
      INTO v_dimensions, v_entities, v_days
      FROM (SELECT DISTINCT w.dimension, w.entity_id, w.business_date
              FROM statement_work w WHERE w.banca_id = p_banca AND w.id = ANY (v_ids)) w;
    PERFORM lock_statements(v_entities);
    PERFORM rewrite_statements(p_banca, v_dimensions, v_entities, v_days, costa_rica_date(statement_clock(p_at)), false);
    DELETE FROM statement_work w WHERE w.banca_id = p_banca AND w.id = ANY (v_ids);
    RETURN cardinality(v_ids);
END $$;

-- One writer at a time of an entity's statements, until the end of the transaction; meanwhile no month is closed for the
-- first time (sql/functions/close_month.sql). A caller asks once, for all it needs.
DROP FUNCTION IF EXISTS lock_statements;
CREATE FUNCTION lock_statements(p_entities uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_key integer;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('banca.months'), hashtext(current_banca()::text));
    FOR v_key IN SELECT DISTINCT hashtext(e.id::text) FROM unnest(p_entities) AS e (id) ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hashtext('banca.statements'), v_key);
    END LOOP;
END $$;

-- The time. p_at counts only where the owner lets tests tell it.
DROP FUNCTION IF EXISTS statement_clock;
CREATE FUNCTION statement_clock(p_at timestamptz) RETURNS timestamptz
LANGUAGE sql VOLATILE
AS $$
    SELECT CASE WHEN p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN p_at ELSE clock_timestamp() END
$$;

-- Rewrites days of entities, and what follows from them: openings and closings of the later days, closings of months.
-- The caller holds the entities' statements (lock_statements).
--
-- Takes   p_force: rows too for days on which nothing happened.
-- A closed day stays as it is: what it lacks is posted on p_today (or on the first day that is open, if that is later).
DROP FUNCTION IF EXISTS rewrite_statements;
CREATE FUNCTION rewrite_statements(
    p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_today date, p_force boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
    v_dimensions statement_dimension[];
    v_entities uuid[];
    v_days date[];
BEGIN
    WITH asked AS (
        SELECT DISTINCT a.dimension, a.entity_id, a.business_date, closed_through(p_banca, a.dimension, a.entity_id) AS closed
          FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
    ), corrected AS (
        SELECT c.dimension, c.entity_id, c.posted_on
          FROM correct_statements(
                   p_banca, p_today, v_at,
                   (SELECT array_agg(a.dimension) FROM asked a WHERE a.business_date <= a.closed),
                   (SELECT array_agg(a.entity_id) FROM asked a WHERE a.business_date <= a.closed),
                   (SELECT array_agg(a.business_date) FROM asked a WHERE a.business_date <= a.closed)) c
    )
    SELECT array_agg(x.dimension), array_agg(x.entity_id), array_agg(x.business_date)
      INTO v_dimensions, v_entities, v_days
      FROM (SELECT a.dimension, a.entity_id, a.business_date FROM asked a
             WHERE a.closed IS NULL OR a.business_date > a.closed
            UNION
            SELECT c.dimension, c.entity_id, c.posted_on FROM corrected c) x;
    PERFORM write_statement_cuts(p_banca, p_dimensions, p_entities, p_days);
    IF v_days IS NOT NULL THEN
        PERFORM write_statement_days(p_banca, v_dimensions, v_entities, v_days, v_at, p_force);
        PERFORM chain_statements(p_banca, v_dimensions, v_entities, v_days, v_at);
    END IF;
    -- Of closed days too: their month may have been closed before its corrections were posted.
    PERFORM renew_closings(p_banca, p_dimensions || v_dimensions, p_entities || v_entities, p_days || v_days, v_at);
END $$;

-- The last day of the entity that is closed, with all before it; null: none.
DROP FUNCTION IF EXISTS closed_through;
CREATE FUNCTION closed_through(p_banca uuid, p_dimension statement_dimension, p_entity uuid) RETURNS date
LANGUAGE sql STABLE
AS $$
    SELECT max(s.business_date) FROM statements s
     WHERE s.banca_id = p_banca AND s.dimension = p_dimension AND s.entity_id = p_entity AND s.settled_at IS NOT NULL
$$;

-- The bancas that have work, the longest waiting first, for the workers.
DROP FUNCTION IF EXISTS statement_work_waiting;
CREATE FUNCTION statement_work_waiting(p_limit integer) RETURNS TABLE (banca_id uuid, waiting bigint, oldest interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.banca_id, count(*), clock_timestamp() - min(w.asked_at)
      FROM statement_work w GROUP BY w.banca_id ORDER BY min(w.asked_at) LIMIT p_limit
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['recompute_statements', 'lock_statements', 'statement_clock',
                                         'rewrite_statements', 'closed_through', 'statement_work_waiting'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION recompute_statements, statement_work_waiting TO banca_worker;
