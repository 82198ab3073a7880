-- Identity, before and across tenants: what the API may ask although row-level security hides the rows from it.
-- Every function is SECURITY DEFINER with a fixed search_path, belongs to banca_definer, and only banca_api may call it.

-- Gives   the user of that name, whatever its state; no row when there is none. Case does not matter.
DROP FUNCTION IF EXISTS find_login;
CREATE FUNCTION find_login(p_username text)
RETURNS TABLE (
    id uuid, role text, banca_id uuid, ventana_id uuid, username text, name text, password_hash text,
    rate_limited boolean, is_active boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.role::text, u.banca_id, u.ventana_id, u.username, u.name, u.password_hash, u.rate_limited,
           u.is_active AND coalesce(v.is_active, true) AND (coalesce(b.is_active, true) OR u.role = 'ADMIN')
      FROM users u
      LEFT JOIN ventanas v ON v.banca_id = u.banca_id AND v.id = u.ventana_id
      LEFT JOIN bancas b ON b.id = u.banca_id
     WHERE lower(u.username) = lower(p_username)
$$;

-- Gives   how many users have a password hash of which parameters ("$argon2id$v=19$m=19456,t=2,p=1").
DROP FUNCTION IF EXISTS password_costs;
CREATE FUNCTION password_costs() RETURNS TABLE (parameters text, users bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT x.parameters, count(*)
      FROM (SELECT substring(u.password_hash FROM '^[$]argon2id[$]v=19[$]m=[0-9]+,t=[0-9]+,p=[0-9]+') FROM users u)
           x (parameters)
     WHERE x.parameters IS NOT NULL
     GROUP BY x.parameters
     ORDER BY x.parameters
$$;

-- Gives   whether the user's hash was still the old one, and is the new one now: of the same password.
DROP FUNCTION IF EXISTS replace_password_hash;
CREATE FUNCTION replace_password_hash(p_user uuid, p_old text, p_new text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE users SET password_hash = p_new WHERE id = p_user AND password_hash = p_old;
    RETURN FOUND;
END $$;

-- One event for the pipeline. A user without a banca has no trail of its own: nothing is written.
DROP FUNCTION IF EXISTS record_session_event;
CREATE FUNCTION record_session_event(
    p_type text, p_banca uuid, p_session uuid, p_actor uuid, p_reason text, p_request text,
    p_user uuid DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    SELECT nextval('outbox_id'), p_banca, p_type,
           json_strip_nulls(json_build_object(
               'bancaId', p_banca, 'actorId', p_actor, 'sessionId', p_session, 'requestId', p_request,
               'reason', p_reason, 'userId', p_user)),
           clock_timestamp()
     WHERE p_banca IS NOT NULL
$$;

-- Gives   why the user may not sign with the terminal; null: it may.
DROP FUNCTION IF EXISTS terminal_refusal;
CREATE FUNCTION terminal_refusal(p_user uuid, p_terminal uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE
               WHEN t.id IS NULL THEN 'TERMINAL_UNKNOWN'
               WHEN u.banca_id IS DISTINCT FROM t.banca_id AND u.role <> 'ADMIN'
                    AND NOT EXISTS (SELECT FROM user_bancas x WHERE x.user_id = u.id AND x.banca_id = t.banca_id)
                   THEN 'TERMINAL_MISMATCH'
               WHEN u.ventana_id <> t.ventana_id OR (u.role = 'VENDEDOR' AND t.vendedor_id <> u.id)
                   THEN 'TERMINAL_MISMATCH'
               WHEN NOT t.is_active THEN 'TERMINAL_DISABLED'
           END
      FROM users u LEFT JOIN terminals t ON t.id = p_terminal
     WHERE u.id = p_user
$$;

-- Gives   OPENED, USER_INACTIVE or the refusal of the terminal.
-- Locks   the user, so that two logins at once cannot both be the last one allowed.
-- A session of the same device gives way ('new_login'; not for ADMIN and BANCA, who may have several); a seller's
-- oldest ones do beyond the allowed number ('fifo_displacement').
DROP FUNCTION IF EXISTS open_session;
CREATE FUNCTION open_session(
    p_id uuid, p_user uuid, p_terminal uuid, p_refresh_hash bytea, p_expires_at timestamptz, p_device_id text,
    p_device_name text, p_platform text, p_app_version text, p_user_agent text, p_ip text, p_request text)
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user users%ROWTYPE;
    v_sessions_max integer;
    v_refusal text;
BEGIN
    SELECT * INTO v_user FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT v_user.is_active THEN
        RETURN 'USER_INACTIVE';
    END IF;
    IF p_terminal IS NOT NULL THEN
        v_refusal := terminal_refusal(p_user, p_terminal);
        IF v_refusal IS NOT NULL THEN
            RETURN v_refusal;
        END IF;
    END IF;
    IF p_device_id IS NOT NULL AND v_user.role IN ('VENTANA', 'VENDEDOR') THEN
        PERFORM close_session(s.id, p_user, p_user, 'new_login', p_request)
           FROM sessions s
          WHERE s.user_id = p_user AND s.revoked_at IS NULL AND s.device_id = p_device_id;
    END IF;
    IF v_user.role = 'VENDEDOR' THEN
        SELECT coalesce(v_user.max_sessions_per_vendedor, b.max_sessions_per_vendedor) INTO v_sessions_max
          FROM bancas b WHERE b.id = v_user.banca_id;
        PERFORM close_session(x.id, p_user, p_user, 'fifo_displacement', p_request)
           FROM (SELECT s.id FROM sessions s
                  WHERE s.user_id = p_user AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
                  ORDER BY s.last_used_at DESC, s.created_at DESC, s.id OFFSET v_sessions_max - 1) x;
    END IF;
    INSERT INTO sessions (
        id, banca_id, user_id, terminal_id, refresh_hash, expires_at, device_id, device_name, platform, app_version,
        user_agent, ip_address, last_used_at, created_at)
    VALUES (
        p_id, v_user.banca_id, p_user, p_terminal, p_refresh_hash, p_expires_at, p_device_id, p_device_name,
        p_platform, p_app_version, p_user_agent, p_ip, clock_timestamp(), clock_timestamp());
    PERFORM record_session_event('sessions.opened', v_user.banca_id, p_id, p_user, NULL, p_request, p_user);
    RETURN 'OPENED';
END $$;

-- Takes   p_owner: whose session it must be; null: anybody's.
-- Gives   whether a live session was closed.
DROP FUNCTION IF EXISTS close_session;
CREATE FUNCTION close_session(p_session uuid, p_owner uuid, p_actor uuid, p_reason text, p_request text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_banca uuid;
    v_user uuid;
BEGIN
    UPDATE sessions s SET revoked_at = clock_timestamp(), revoked_reason = p_reason
     WHERE s.id = p_session AND s.revoked_at IS NULL AND s.user_id = coalesce(p_owner, s.user_id)
    RETURNING s.banca_id, s.user_id INTO v_banca, v_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM record_session_event('sessions.closed', v_banca, p_session, p_actor, p_reason, p_request, v_user);
    RETURN true;
END $$;

-- Gives   the ids of the sessions that it closed: all of the user's.
DROP FUNCTION IF EXISTS close_sessions_of;
CREATE FUNCTION close_sessions_of(p_user uuid, p_actor uuid, p_reason text, p_request text) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT x.id
      FROM (SELECT s.id FROM sessions s WHERE s.user_id = p_user AND s.revoked_at IS NULL ORDER BY s.id) x
     WHERE close_session(x.id, p_user, p_actor, p_reason, p_request)
$$;

-- Takes   the generation and hash of the token presented, the hash and expiry of the next one.
-- Gives   ROTATED: the next one holds; NEWEST: the presented one, any earlier one of the session, was replaced less than
--         p_grace_s ago, and the row names the newest one; REUSED: it was replaced before that, the session is now
--         closed; USER_INACTIVE; INVALID. And, for the first two, who the user is now.
-- Locks   the session. Whether a token is within its grace is judged under that lock, by the database's clock.
DROP FUNCTION IF EXISTS rotate_session;
CREATE FUNCTION rotate_session(
    p_session uuid, p_generation integer, p_hash bytea, p_next_hash bytea, p_next_expires_at timestamptz,
    p_grace_s integer, p_request text)
RETURNS TABLE (
    outcome text, generation integer, expires_at timestamptz, user_id uuid, role text, banca_id uuid, ventana_id uuid,
    terminal_id uuid, rate_limited boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_session sessions%ROWTYPE;
    v_now timestamptz;
    v_active boolean;
    v_in_grace boolean;
BEGIN
    SELECT * INTO v_session FROM sessions s WHERE s.id = p_session FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    v_in_grace := EXISTS (
        SELECT FROM replaced_refresh_tokens r
         WHERE r.session_id = p_session AND r.generation = p_generation AND r.refresh_hash = p_hash
               AND r.replaced_at > v_now - make_interval(secs => p_grace_s));
    outcome := CASE
        WHEN v_session.id IS NULL OR v_session.revoked_at IS NOT NULL OR v_session.expires_at <= v_now THEN 'INVALID'
        WHEN v_session.generation = p_generation AND v_session.refresh_hash = p_hash THEN 'ROTATED'
        WHEN v_session.generation > p_generation AND v_in_grace THEN 'NEWEST'
        WHEN v_session.generation > p_generation THEN 'REUSED'
        ELSE 'INVALID'
    END;
    IF outcome IN ('ROTATED', 'NEWEST') THEN
        SELECT u.is_active AND coalesce(v.is_active, true) AND (coalesce(b.is_active, true) OR u.role = 'ADMIN'),
               u.id, u.role::text, u.banca_id, u.ventana_id, u.rate_limited
          INTO v_active, user_id, role, banca_id, ventana_id, rate_limited
          FROM users u
          LEFT JOIN ventanas v ON v.banca_id = u.banca_id AND v.id = u.ventana_id
          LEFT JOIN bancas b ON b.id = u.banca_id
         WHERE u.id = v_session.user_id;
        IF NOT v_active THEN
            outcome := 'USER_INACTIVE';
        END IF;
    END IF;
    IF outcome = 'ROTATED' THEN
        DELETE FROM replaced_refresh_tokens r
         WHERE r.session_id = p_session AND r.replaced_at <= v_now - make_interval(secs => p_grace_s);
        INSERT INTO replaced_refresh_tokens (session_id, generation, refresh_hash, replaced_at)
        VALUES (p_session, p_generation, p_hash, v_now);
        UPDATE sessions s
           SET generation = s.generation + 1, previous_hash = s.refresh_hash, refresh_hash = p_next_hash,
               expires_at = p_next_expires_at, rotated_at = v_now, last_used_at = v_now
         WHERE s.id = p_session
        RETURNING s.generation, s.expires_at INTO v_session.generation, v_session.expires_at;
    ELSIF outcome = 'REUSED' THEN
        PERFORM close_session(p_session, NULL, v_session.user_id, 'refresh_reused', p_request);
    END IF;
    generation := v_session.generation;
    expires_at := v_session.expires_at;
    terminal_id := v_session.terminal_id;
    RETURN NEXT;
END $$;

-- Gives   what a session's holder is right now; no row for an unknown session.
DROP FUNCTION IF EXISTS session_facts;
CREATE FUNCTION session_facts(p_session uuid)
RETURNS TABLE (
    is_live boolean, user_active boolean, ventana_active boolean, banca_active boolean, role text, banca_id uuid,
    ventana_id uuid, banca_ids uuid[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.revoked_at IS NULL AND s.expires_at > clock_timestamp(), u.is_active, coalesce(v.is_active, true),
           coalesce(b.is_active, true), u.role::text, u.banca_id, u.ventana_id,
           ARRAY (SELECT x.banca_id FROM user_bancas x WHERE x.user_id = u.id)
      FROM sessions s
      JOIN users u ON u.id = s.user_id
      LEFT JOIN ventanas v ON v.banca_id = u.banca_id AND v.id = u.ventana_id
      LEFT JOIN bancas b ON b.id = u.banca_id
     WHERE s.id = p_session
$$;

-- Gives   the user's sessions that still live, the last used first.
DROP FUNCTION IF EXISTS sessions_of;
CREATE FUNCTION sessions_of(p_user uuid)
RETURNS TABLE (
    id uuid, terminal_id uuid, device_id text, device_name text, platform text, app_version text, user_agent text,
    ip_address text, created_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.id, s.terminal_id, s.device_id, s.device_name, s.platform, s.app_version, s.user_agent, s.ip_address,
           s.created_at, s.last_used_at, s.expires_at
      FROM sessions s
     WHERE s.user_id = p_user AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
     ORDER BY s.last_used_at DESC, s.id
     LIMIT 100
$$;

-- Gives   the user with its ventana, banca and (for BANCA and ADMIN) the bancas it may work in.
DROP FUNCTION IF EXISTS profile_of;
CREATE FUNCTION profile_of(p_user uuid) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT json_build_object(
               'id', u.id, 'username', u.username, 'name', u.name, 'role', u.role, 'email', u.email, 'phone', u.phone,
               'code', u.code, 'bancaId', u.banca_id, 'ventanaId', u.ventana_id, 'settings', u.settings,
               'isActive', u.is_active,
               'banca', (SELECT json_build_object('id', b.id, 'name', b.name, 'code', b.code)
                           FROM bancas b WHERE b.id = u.banca_id),
               'ventana', (SELECT json_build_object('id', v.id, 'name', v.name, 'code', v.code,
                                                    'settings', v.settings)
                             FROM ventanas v WHERE v.banca_id = u.banca_id AND v.id = u.ventana_id),
               'bancas', (SELECT coalesce(json_agg(json_build_object('id', b.id, 'name', b.name, 'code', b.code)
                                                   ORDER BY b.name), '[]')
                            FROM bancas b
                           WHERE b.is_active
                             AND (u.role = 'ADMIN'
                                  OR u.role = 'BANCA' AND (
                                      b.id = u.banca_id
                                      OR b.id IN (SELECT x.banca_id FROM user_bancas x WHERE x.user_id = u.id)))))
      FROM users u
     WHERE u.id = p_user
$$;

DROP FUNCTION IF EXISTS banca_exists;
CREATE FUNCTION banca_exists(p_banca uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM bancas b WHERE b.id = p_banca)
$$;

-- Gives   a terminal of any banca: whose it is, which keys it may sign with; no row when it is unknown.
DROP FUNCTION IF EXISTS terminal_facts;
CREATE FUNCTION terminal_facts(p_terminal uuid)
RETURNS TABLE (
    banca_id uuid, ventana_id uuid, vendedor_id uuid, master_key_id text, key_version integer,
    previous_master_key_id text, previous_key_version integer, previous_valid_until timestamptz, is_active boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.banca_id, t.ventana_id, t.vendedor_id, t.master_key_id, t.key_version, t.previous_master_key_id,
           t.previous_key_version, t.previous_valid_until, t.is_active
      FROM terminals t
     WHERE t.id = p_terminal
$$;

-- Gives   how many events wait to be published (counted up to 10,000) and how old the oldest is, in seconds.
DROP FUNCTION IF EXISTS outbox_lag;
CREATE FUNCTION outbox_lag() RETURNS TABLE (unpublished bigint, lag_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM (SELECT FROM outbox o WHERE o.published_at IS NULL LIMIT 10000) x),
           coalesce((SELECT greatest(extract(epoch FROM clock_timestamp() - o.created_at), 0)::double precision
                       FROM outbox o WHERE o.published_at IS NULL ORDER BY o.id LIMIT 1), 0)
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY[
        'find_login', 'password_costs', 'replace_password_hash', 'record_session_event', 'terminal_refusal', 'open_session', 'close_session', 'close_sessions_of',
        'rotate_session', 'session_facts', 'sessions_of', 'profile_of', 'banca_exists', 'terminal_facts',
        'outbox_lag'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        IF function_name NOT IN ('record_session_event', 'terminal_refusal') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
        END IF;
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION outbox_lag TO banca_worker;
