-- Open, close, switch off or on one draw: one call, one transaction.
--
-- Takes   f_*, t_*: from which states the action leads, and to which (core/domain/sorteo_states.py has the table);
--         parallel arrays. p_actor: null when the draw does it by itself, and then what that was concluded from:
--         p_scheduled_at, p_version of the rules (null: of any), p_due_at, p_last_sequence of what was sold (null: any).
-- Gives   one row. DONE; NOT_FOUND; EVALUATION_RUNNING: its prizes are being paid, or taken back after that failed;
--         EVALUATION_FAILED: that has stopped; WRONG_STATE: no row of the table has
--         the draw's state; STALE: what it was concluded from is not so any more; EARLY: p_due_at is still to come.
--         status and is_active: what they are now.
-- Locks   the draw: it waits for the batch of tickets in flight, and those after it find the new state.
DROP FUNCTION IF EXISTS act_on_sorteo;
CREATE FUNCTION act_on_sorteo(
    p_banca uuid, p_sorteo uuid, p_action text, f_status sorteo_status[], f_active boolean[],
    t_status sorteo_status[], t_active boolean[], p_actor uuid, p_layer text, p_reason text, p_request text,
    p_scheduled_at timestamptz DEFAULT NULL, p_version bigint DEFAULT NULL, p_due_at timestamptz DEFAULT NULL,
    p_at timestamptz DEFAULT NULL, p_last_sequence bigint DEFAULT NULL
) RETURNS TABLE (outcome text, status text, is_active boolean, at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_at timestamptz;
    v_old sorteos;
    v_place integer;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_old FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;

    v_at := clock_timestamp();
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        v_at := p_at;
    END IF;
    SELECT t.n INTO v_place FROM unnest(f_status, f_active) WITH ORDINALITY AS t (status, is_active, n)
     WHERE t.status = v_old.status AND t.is_active = v_old.is_active;

    outcome := CASE
        WHEN v_old.id IS NULL THEN 'NOT_FOUND'
        WHEN EXISTS (SELECT FROM sorteo_results r
                      WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('RUNNING', 'REVERTING')
                        AND r.settled_at IS NULL AND r.failed_at IS NOT NULL)
            THEN 'EVALUATION_FAILED'
        WHEN EXISTS (SELECT FROM sorteo_results r
                      WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('RUNNING', 'REVERTING')
                        AND r.settled_at IS NULL)
            THEN 'EVALUATION_RUNNING'
        WHEN v_place IS NULL THEN 'WRONG_STATE'
        WHEN p_scheduled_at <> v_old.scheduled_at OR p_last_sequence <> v_old.last_sequence
          OR p_action = 'OPEN' AND p_due_at IS NOT NULL AND p_due_at IS DISTINCT FROM v_old.opens_at
          OR p_version <> (SELECT b.rulebook_version FROM bancas b WHERE b.id = p_banca) THEN 'STALE'
        WHEN v_at < p_due_at THEN 'EARLY'
        ELSE 'DONE' END;
    status := CASE outcome WHEN 'DONE' THEN t_status[v_place] ELSE v_old.status END;
    is_active := CASE outcome WHEN 'DONE' THEN t_active[v_place] ELSE v_old.is_active END;
    at := v_at;

    IF outcome = 'DONE' THEN
        PERFORM move_sorteo(p_banca, p_sorteo, status::sorteo_status, p_actor, p_reason, v_at, is_active, p_request);
        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        VALUES (nextval('outbox_id'), p_banca, 'sorteos.moved', json_build_object(
                    'at', v_at, 'sorteoId', p_sorteo, 'action', p_action, 'fromStatus', v_old.status,
                    'toStatus', status, 'wasActive', v_old.is_active, 'isActive', is_active,
                    'lastSequence', v_old.last_sequence, 'actorId', p_actor, 'reason', p_reason, 'layer', p_layer,
                    'requestId', p_request), v_at);
    END IF;
    RETURN NEXT;
END $$;
ALTER FUNCTION act_on_sorteo OWNER TO banca_definer;
REVOKE ALL ON FUNCTION act_on_sorteo FROM PUBLIC;
GRANT EXECUTE ON FUNCTION act_on_sorteo TO banca_api, banca_worker;
