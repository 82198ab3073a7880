-- Statements, computed anew from what happened. A day never remembers what it was: it is what its draws and movements come
-- to, so that work may be done twice, late, in any order, and by whoever comes.

-- Computes the days that wait, at most p_limit requests of them; each day once, however often it was asked for. A day
-- that cannot be computed rests, and with it what was asked of it; the others do not wait for it.
--
-- Takes   p_at: a test's time; else the database's clock says what today is.
-- Gives   done: how many requests were worked off; 0: nothing waits, or others are at all of it; failures: as in
--         sql/functions/attempt_statements.sql.
-- Locks   requests, passing over those that others hold → the banca's months, shared → the statements of each entity, in
--         one order.
DROP FUNCTION IF EXISTS recompute_statements;
CREATE FUNCTION recompute_statements(p_banca uuid, p_limit integer, p_at timestamptz DEFAULT NULL)
RETURNS TABLE (done integer, failures jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_now timestamptz := database_clock(p_at);
    v_ids bigint[];
    v_failed bigint[];
    v_dimensions statement_dimension[];
    v_entities uuid[];
    v_days date[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    v_ids := next_statement_work(p_banca, p_limit, v_now);
    IF v_ids IS NULL THEN
        RETURN QUERY SELECT 0, '[]'::jsonb;
        RETURN;
    END IF;
    SELECT array_agg(w.dimension), array_agg(w.entity_id), array_agg(w.business_date)
      INTO v_dimensions, v_entities, v_days
      FROM (SELECT DISTINCT w.dimension, w.entity_id, w.business_date
              FROM statement_work w WHERE w.banca_id = p_banca AND w.id = ANY (v_ids)) w;
    PERFORM lock_statements(v_entities);
    SELECT a.failures INTO failures
      FROM attempt_statements('COMPUTE', p_banca, v_dimensions, v_entities, v_days, costa_rica_date(v_now)) a;
    SELECT coalesce(array_agg(w.id), '{}') INTO v_failed
      FROM jsonb_to_recordset(failures) AS f (dimension statement_dimension, "entityId" uuid, day date)
      JOIN statement_work w ON w.banca_id = p_banca AND w.id = ANY (v_ids) AND w.dimension = f.dimension
           AND w.entity_id = f."entityId" AND w.business_date = f.day;
    PERFORM rest_statement_work(p_banca, v_failed, v_now);
    DELETE FROM statement_work w WHERE w.banca_id = p_banca AND w.id = ANY (v_ids) AND w.id <> ALL (v_failed);
    done := cardinality(v_ids) - cardinality(v_failed);
    RETURN NEXT;
END $$;

-- The one that failed before and rests no more; null: there is none, or others are at it.
DROP FUNCTION IF EXISTS next_failed_work;
CREATE FUNCTION next_failed_work(p_banca uuid, p_now timestamptz) RETURNS bigint[]
LANGUAGE sql VOLATILE
AS $$
    SELECT array_agg(w.id)
      FROM (SELECT w.id FROM statement_work w
             WHERE w.banca_id = p_banca AND w.rests_until <= p_now
             ORDER BY w.rests_until LIMIT 1 FOR UPDATE SKIP LOCKED) w
$$;

-- The requests that are next, held until the transaction ends; null: none that does not rest or is held by others. One that
-- failed before comes after all others, alone: it may take all the time that a call has.
DROP FUNCTION IF EXISTS next_statement_work;
CREATE FUNCTION next_statement_work(p_banca uuid, p_limit integer, p_now timestamptz) RETURNS bigint[]
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(
        (SELECT array_agg(w.id)
           FROM (SELECT w.id FROM statement_work w
                  WHERE w.banca_id = p_banca AND w.rests_until IS NULL
                  ORDER BY w.id LIMIT p_limit FOR UPDATE SKIP LOCKED) w),
        next_failed_work(p_banca, p_now))
$$;

-- What failed rests: a second, and each time twice as long, ten minutes at most.
DROP FUNCTION IF EXISTS rest_statement_work;
CREATE FUNCTION rest_statement_work(p_banca uuid, p_ids bigint[], p_now timestamptz) RETURNS void
LANGUAGE sql VOLATILE
AS $$
    UPDATE statement_work w
       SET failures = w.failures + 1,
           rests_until = p_now + least(interval '10 minutes', interval '1 second' * (1 << least(w.failures, 10)))
     WHERE w.banca_id = p_banca AND w.id = ANY (p_ids)
$$;

-- After a call that failed: the next request rests, where it was alone (p_is_alone), as it is too much for the time that a
-- call has. Else the one that failed before: it comes alone always, and was perhaps what failed.
DROP FUNCTION IF EXISTS rest_next_statement;
CREATE FUNCTION rest_next_statement(p_banca uuid, p_at timestamptz DEFAULT NULL, p_is_alone boolean DEFAULT true)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    v_now timestamptz := database_clock(p_at);
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    PERFORM rest_statement_work(
        p_banca,
        CASE WHEN p_is_alone THEN next_statement_work(p_banca, 1, v_now) ELSE next_failed_work(p_banca, v_now) END, v_now);
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

-- The bancas that have work, for the workers: the longest waiting first, those that rest last (p_resting, and whose
-- requests all rest: is_ready says which do not). In each row: how many requests wait, of all bancas, and how long the
-- longest of them has.
DROP FUNCTION IF EXISTS statement_work_waiting;
CREATE FUNCTION statement_work_waiting(p_limit integer, p_resting uuid[] DEFAULT '{}', p_at timestamptz DEFAULT NULL)
RETURNS TABLE (banca_id uuid, is_ready boolean, waiting bigint, oldest interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.banca_id, b.ready_since IS NOT NULL, (sum(b.waiting) OVER ())::bigint,
           clock_timestamp() - min(b.since) OVER ()
      FROM (SELECT w.banca_id, count(*) AS waiting, min(w.asked_at) AS since,
                   min(w.asked_at) FILTER (WHERE (w.rests_until IS NULL OR w.rests_until <= n.at)
                                             AND w.banca_id <> ALL (p_resting)) AS ready_since
              FROM statement_work w CROSS JOIN (SELECT database_clock(p_at) AS at) n
             GROUP BY w.banca_id) b
     ORDER BY b.ready_since, b.banca_id
     LIMIT p_limit
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['recompute_statements', 'lock_statements', 'rewrite_statements',
                                         'closed_through', 'statement_work_waiting', 'next_statement_work',
                                         'next_failed_work', 'rest_statement_work', 'rest_next_statement'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION recompute_statements, statement_work_waiting, rest_next_statement TO banca_worker;
