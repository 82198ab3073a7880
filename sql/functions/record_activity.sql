-- Operations for the audit trail that have no event of their own: each is an outbox event `activity.recorded`, written
-- in the transaction of what it tells; the worker makes it one activity row. One operation on several targets is one
-- event too, `activities.recorded`, and a row for each of them (core/events.py, workers/activity.py).

-- Takes   p_targets: null, or in place of p_target_id [{"id", "before", "after"}]; p_before and p_after are then what
--         all of them have in common.
-- Gives   the event's id; null without a banca, which has no trail.
DROP FUNCTION IF EXISTS write_activity;
CREATE FUNCTION write_activity(
    p_banca uuid, p_action text, p_actor uuid, p_target_type text, p_target_id uuid, p_before jsonb, p_after jsonb,
    p_layer text, p_request text, p_targets jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_event bigint;
    v_at timestamptz := clock_timestamp();
BEGIN
    IF p_banca IS NULL THEN
        RETURN NULL;
    END IF;
    -- What the trail would refuse must fail here, where its author sees it.
    IF p_action !~ '^[A-Z_]+$' THEN
        RAISE EXCEPTION 'not an action: %', p_action USING ERRCODE = 'check_violation';
    END IF;
    v_event := nextval('outbox_id');
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (v_event, p_banca,
            CASE WHEN p_targets IS NULL THEN 'activity.recorded' ELSE 'activities.recorded' END,
            json_build_object(
                'at', v_at, 'action', p_action, 'actorId', p_actor, 'targetType', p_target_type,
                CASE WHEN p_targets IS NULL THEN 'targetId' ELSE 'targets' END,
                coalesce(p_targets, to_jsonb(p_target_id)),
                'before', p_before, 'after', p_after, 'layer', p_layer, 'requestId', p_request), v_at);
    RETURN v_event;
END $$;

-- For routes, inside their transaction: it writes into the trail of the banca that the transaction works for.
DROP FUNCTION IF EXISTS record_activity;
CREATE FUNCTION record_activity(
    p_action text, p_actor uuid, p_target_type text, p_target_id uuid, p_before jsonb, p_after jsonb, p_layer text,
    p_request text, p_targets jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF current_banca() IS NULL THEN
        RAISE EXCEPTION 'an activity needs the transaction of a banca' USING ERRCODE = 'check_violation';
    END IF;
    RETURN write_activity(current_banca(), p_action, p_actor, p_target_type, p_target_id, p_before, p_after, p_layer,
                          p_request, p_targets);
END $$;

-- Takes   the user that the name belongs to; null: nobody. Somebody without a banca has no trail: nothing is written.
DROP FUNCTION IF EXISTS record_failed_login;
CREATE FUNCTION record_failed_login(p_user uuid, p_code text, p_address text, p_request text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM write_activity(u.banca_id, 'LOGIN_FAILED', NULL, 'USER', u.id, NULL,
                           jsonb_build_object('code', p_code, 'address', p_address), 'api', p_request)
       FROM users u WHERE u.id = p_user;
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['write_activity', 'record_activity', 'record_failed_login'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION record_activity, record_failed_login TO banca_api;
-- Jobs tell of what they make.
GRANT EXECUTE ON FUNCTION record_activity TO banca_worker;
