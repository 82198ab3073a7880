-- What an operator sees of the dead letters and decides about them. They are of every banca: ADMIN only, by the API's
-- table of permissions; the API's role reaches them through these functions alone.

-- Takes   a state or null, a queue or null, the last row seen or nulls.
-- Gives   letters, the newest first, without their payload. is_done: the event was done by the queue's consumer.
DROP FUNCTION IF EXISTS dead_letters_page;
CREATE FUNCTION dead_letters_page(
    p_state text, p_queue text, p_before timestamptz, p_before_id uuid, p_limit integer, p_offset integer)
RETURNS TABLE (
    id uuid, queue text, actor text, message_id text, event_id bigint, reason text, error text, attempts integer,
    state text, is_done boolean, payload_bytes integer, first_seen_at timestamptz, last_seen_at timestamptz,
    decided_by text, decided_at timestamptz, republished_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.id, d.queue, d.actor, d.message_id, d.event_id, d.reason::text, d.error, d.attempts, d.state::text,
           d.event_id IS NOT NULL
               AND (EXISTS (SELECT FROM inbox i WHERE i.consumer = d.actor AND i.event_id = d.event_id)
                    OR NOT EXISTS (SELECT FROM outbox o WHERE o.id = d.event_id)),
           length(d.payload), d.first_seen_at, d.last_seen_at, d.decided_by, d.decided_at, d.republished_at
      FROM dead_letters d
     WHERE (p_state IS NULL OR d.state = p_state::dead_letter_state)
       AND (p_queue IS NULL OR d.queue = p_queue)
       AND (p_before IS NULL OR (d.first_seen_at, d.id) < (p_before, p_before_id))
     ORDER BY d.first_seen_at DESC, d.id DESC
     LIMIT p_limit OFFSET p_offset
$$;

-- Takes   the decision: REPLAYED (the relay sends it again, once) or DROPPED; who decides, as text and, if it is one, as user.
-- Gives   DECIDED, NOT_PARKED (it was decided before) or NOT_FOUND.
-- Locks   the letter. Of an event it leaves a row in the trail of the event's banca.
DROP FUNCTION IF EXISTS decide_dead_letter;
CREATE FUNCTION decide_dead_letter(
    p_id uuid, p_decision text, p_by text, p_actor uuid, p_layer text, p_request text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_letter dead_letters%ROWTYPE;
BEGIN
    IF p_decision NOT IN ('REPLAYED', 'DROPPED') THEN
        RAISE EXCEPTION 'not a decision: %', p_decision USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO v_letter FROM dead_letters d WHERE d.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'NOT_FOUND';
    END IF;
    IF v_letter.state <> 'PARKED' THEN
        RETURN 'NOT_PARKED';
    END IF;
    UPDATE dead_letters d
       SET state = p_decision::dead_letter_state, decided_by = p_by, decided_at = clock_timestamp(),
           republished_at = NULL
     WHERE d.id = p_id;
    PERFORM write_activity(
                o.banca_id, CASE p_decision WHEN 'DROPPED' THEN 'DEAD_LETTER_DROP' ELSE 'DEAD_LETTER_REPLAY' END,
                p_actor, 'DEAD_LETTER', p_id,
                jsonb_build_object('state', 'PARKED', 'reason', v_letter.reason, 'eventId', v_letter.event_id),
                jsonb_build_object('state', p_decision, 'by', p_by), p_layer, p_request)
       FROM outbox o WHERE o.id = v_letter.event_id;
    RETURN 'DECIDED';
END $$;

-- Gives   how many letters of each queue wait for somebody; a queue that once had one, too.
DROP FUNCTION IF EXISTS dead_letter_counts;
CREATE FUNCTION dead_letter_counts() RETURNS TABLE (queue text, parked bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.queue, count(*) FILTER (WHERE d.state = 'PARKED') FROM dead_letters d GROUP BY d.queue
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['dead_letters_page', 'decide_dead_letter', 'dead_letter_counts'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
    END LOOP;
END $$;
