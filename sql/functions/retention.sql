-- What is kept for a time only: the beginning of the audit trail, idempotency keys, and runs of jobs. They run as the
-- owner: no role may delete any of these.

-- Cut the oldest links of a banca's trail off, and their rows with them; the newest link always stays, so that the chain
-- goes on from it.
-- Takes   p_before: links recorded later stay; p_rows: about so many rows at most, of whole links.
-- Gives   how many rows went; is_more: there is more to cut.
DROP FUNCTION IF EXISTS trim_trail;
CREATE FUNCTION trim_trail(p_banca uuid, p_before timestamptz, p_rows integer)
RETURNS TABLE (deleted bigint, is_more boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_events bigint[];
    v_last bigint;
    v_rows bigint;
    v_days daterange;
    v_found bigint;
BEGIN
    -- A trail has no holes: it ends where the first younger link is, whatever is behind that one.
    SELECT array_agg(l.event_id), max(l.position), sum(l.rows_count),
           daterange(costa_rica_date(min(l.recorded_at)) - 1, costa_rica_date(max(l.recorded_at)), '[]')
      INTO v_events, v_last, v_rows, v_days
      FROM (SELECT c.*, sum(c.rows_count) OVER w AS total, bool_and(c.recorded_at < p_before) OVER w AS is_old
              FROM (SELECT * FROM audit_chain WHERE banca_id = p_banca ORDER BY position LIMIT p_rows) c
            WINDOW w AS (ORDER BY c.position)) l
     WHERE l.is_old AND l.total - l.rows_count < p_rows
       AND l.position < (SELECT max(h.position) FROM audit_chain h WHERE h.banca_id = p_banca);
    IF v_last IS NULL THEN
        RETURN QUERY SELECT 0::bigint, false;
        RETURN;
    END IF;

    PERFORM set_config('app.retention', 'on', true);
    -- Nearly all of them happened on the days on which they were recorded.
    DELETE FROM activity_log a
     WHERE a.banca_id = p_banca AND a.event_id = ANY (v_events)
       AND a.occurred_on >= lower(v_days) AND a.occurred_on < upper(v_days);
    GET DIAGNOSTICS v_found = ROW_COUNT;
    IF v_found < v_rows THEN
        DELETE FROM activity_log a WHERE a.banca_id = p_banca AND a.event_id = ANY (v_events);
    END IF;
    DELETE FROM audit_chain c WHERE c.banca_id = p_banca AND c.position <= v_last;
    PERFORM set_config('app.retention', '', true);
    RETURN QUERY SELECT v_rows, true;
END $$;

-- Delete idempotency keys that are older than p_before and whose draw, if they are about one, is evaluated. A request
-- with such a key is a new one from then on.
-- Takes   the last key seen, or nulls: the keys are walked in their order, p_keys at a time, because no index knows
--         their age (it would cost every sale).
-- Gives   how many went, and the last key seen; nulls: there are no more.
-- Notes   in retention_cuts that older keys may be gone.
DROP FUNCTION IF EXISTS trim_keys;
CREATE FUNCTION trim_keys(p_banca uuid, p_before timestamptz, p_actor uuid, p_key text, p_keys integer)
RETURNS TABLE (deleted bigint, last_actor uuid, last_key text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seen integer;
BEGIN
    -- In hours, as workers count: a day of the server's time zone may have 23 or 25.
    IF p_before > clock_timestamp() - 35 * interval '24 hours' AND NOT (SELECT i.test_clock FROM instance i) THEN
        RAISE EXCEPTION 'keys are kept for 35 days at least' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO retention_cuts AS c (banca_id, kept, before) VALUES (p_banca, 'idempotency', p_before)
    ON CONFLICT (banca_id, kept) DO UPDATE SET before = greatest(c.before, excluded.before);

    WITH page AS MATERIALIZED (
        SELECT k.actor_id, k.key, k.created_at, k.sorteo_id
          FROM idempotency k
         WHERE k.banca_id = p_banca AND (p_key IS NULL OR (k.actor_id, k.key) > (p_actor, p_key))
         ORDER BY k.actor_id, k.key
         LIMIT p_keys
    ), gone AS (
        DELETE FROM idempotency i USING page p
         WHERE i.banca_id = p_banca AND i.actor_id = p.actor_id AND i.key = p.key AND p.created_at < p_before
           AND (p.sorteo_id IS NULL
                OR (SELECT s.status FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p.sorteo_id) = 'EVALUATED')
        RETURNING 1
    ), last AS (
        SELECT p.actor_id, p.key FROM page p ORDER BY p.actor_id DESC, p.key DESC LIMIT 1
    )
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM page), l.actor_id, l.key
      INTO deleted, v_seen, last_actor, last_key
      FROM (SELECT 1) one LEFT JOIN last l ON true;
    IF v_seen < p_keys THEN
        last_actor := NULL;
        last_key := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- Delete a banca's runs of jobs that ended before p_before. Of each job the newest of each state stays, so that it is known
-- when it was done last.
-- Takes   p_rows: so many at most.
-- Gives   how many went; is_more: there may be more.
DROP FUNCTION IF EXISTS trim_job_runs;
CREATE FUNCTION trim_job_runs(p_banca uuid, p_before timestamptz, p_rows integer)
RETURNS TABLE (deleted bigint, is_more boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_before > clock_timestamp() - 400 * interval '24 hours' AND NOT (SELECT i.test_clock FROM instance i) THEN
        RAISE EXCEPTION 'runs of jobs are kept for 400 days at least' USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM job_runs r
     WHERE r.banca_id = p_banca AND r.id IN (
           SELECT o.id
             FROM (SELECT a.id, a.finished_at,
                          row_number() OVER (PARTITION BY a.job, a.state ORDER BY a.finished_at DESC, a.id DESC) AS place
                     FROM job_runs a WHERE a.banca_id = p_banca) o
            WHERE o.finished_at < p_before AND o.place > 1
            ORDER BY o.finished_at LIMIT p_rows);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    is_more := deleted = p_rows;
    RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION trim_trail, trim_keys, trim_job_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trim_trail, trim_keys, trim_job_runs TO banca_worker;
