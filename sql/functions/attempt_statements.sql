-- Work on the statements of many, all at once; and where the data of some of them make PostgreSQL fail, of each alone, so
-- that they keep nobody else waiting. What has nothing to do with the data (a lock, a timeout, a disk that is full) fails
-- whole: trying each alone would only be slower.

-- Takes   p_work: COMPUTE, CARRY, SETTLE or CLOSE; whose statements of which days, in parallel arrays (of CLOSE all of one
--         dimension, and the month's first day); p_by: who settles, or null.
-- Gives   done: how many rows were written, of COMPUTE and CARRY how many were taken; failures: a list of
--         {"dimension", "entityId", "day", "code" (the SQLSTATE), "error"}.
-- The caller holds the entities' statements: a lock that was taken in here would end with what fails.
DROP FUNCTION IF EXISTS attempt_statements;
CREATE FUNCTION attempt_statements(
    p_work text, p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_today date,
    p_by uuid DEFAULT NULL
) RETURNS TABLE (done integer, failures jsonb)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_count integer := coalesce(cardinality(p_entities), 0);
    v_half integer := v_count / 2;
BEGIN
    done := 0;
    failures := '[]';
    IF v_count > 0 THEN
        BEGIN
            done := work_on_statements(p_work, p_banca, p_dimensions, p_entities, p_days, p_today, p_by);
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR plpgsql_error THEN
            IF v_count = 1 THEN
                failures := jsonb_build_array(jsonb_build_object(
                    'dimension', p_dimensions[1], 'entityId', p_entities[1], 'day', p_days[1],
                    'code', SQLSTATE, 'error', SQLERRM));
            ELSE
                SELECT sum(h.done), jsonb_path_query_array(jsonb_agg(h.failures), '$[*][*]') INTO done, failures
                  FROM (VALUES (1, v_half), (v_half + 1, v_count)) AS b (first, last)
                 CROSS JOIN LATERAL attempt_statements(
                       p_work, p_banca, p_dimensions[b.first:b.last], p_entities[b.first:b.last],
                       p_days[b.first:b.last], p_today, p_by) h;
            END IF;
        END;
    END IF;
    RETURN NEXT;
END $$;

DROP FUNCTION IF EXISTS work_on_statements;
CREATE FUNCTION work_on_statements(
    p_work text, p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[], p_today date, p_by uuid
) RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    CASE p_work
        WHEN 'COMPUTE', 'CARRY' THEN
            PERFORM rewrite_statements(p_banca, p_dimensions, p_entities, p_days, p_today, p_work = 'CARRY');
            RETURN cardinality(p_entities);
        WHEN 'SETTLE' THEN
            RETURN settle_days(p_banca, p_dimensions, p_entities, p_days, p_by);
        WHEN 'CLOSE' THEN
            RETURN write_closings(
                p_banca, p_days[1], p_dimensions[1], p_entities, date_trunc('milliseconds', clock_timestamp()));
    END CASE;
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['attempt_statements', 'work_on_statements'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
