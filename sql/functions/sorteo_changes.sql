-- Make draws of one lottery, SCHEDULED: one call. Each is the draw of its slot, the instant that is asked for. A slot is
-- made once, wherever its draw was moved since; and no two draws of a lottery stand at one instant.
--
-- Takes   parallel arrays, one entry per draw. p_opens_at, p_global_limit: of all of them, or null. p_by_hand: a person
--         names this very draw; it is made beside the draw of its slot too, where that was moved away, and has none
--         then. p_name_chosen: whether a person chose the names; else they follow the draw's time.
-- Gives   one row per draw, in the order asked; is_new is false where there was one.
-- Locks   the banca, where the draws of its days are numbered: who makes the same draws at the same time waits.
DROP FUNCTION IF EXISTS create_sorteos;
CREATE FUNCTION create_sorteos(
    p_banca uuid, p_loteria uuid, p_digits smallint, p_opens_at timestamptz, p_global_limit bigint, p_active boolean,
    p_actor uuid, p_request text, s_id uuid[], s_scheduled_at timestamptz[], s_name text[],
    p_by_hand boolean DEFAULT false, p_name_chosen boolean DEFAULT true
) RETURNS TABLE (pos integer, is_new boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    v_made uuid[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    WITH made AS (
        INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, is_active, scheduled_at, opens_at,
                             global_limit_cents, slot_loteria_id, slot_at, name_is_chosen)
        SELECT p_banca, s.id, p_loteria, s.name, p_digits, p_active, s.scheduled_at, p_opens_at, p_global_limit,
               p_loteria, s.scheduled_at, p_name_chosen
          FROM unnest(s_id, s_scheduled_at, s_name) WITH ORDINALITY AS s (id, scheduled_at, name, n)
         ORDER BY s.n
        -- Of whatever: the slot is made, or another slot's draw stands at the instant.
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT coalesce(array_agg(id), '{}') INTO v_made FROM made;
    IF p_by_hand THEN
        WITH made AS (
            INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, is_active, scheduled_at, opens_at,
                                 global_limit_cents, name_is_chosen)
            SELECT p_banca, s.id, p_loteria, s.name, p_digits, p_active, s.scheduled_at, p_opens_at, p_global_limit,
                   p_name_chosen
              FROM unnest(s_id, s_scheduled_at, s_name) WITH ORDINALITY AS s (id, scheduled_at, name, n)
             WHERE s.id <> ALL (v_made)
             ORDER BY s.n
            ON CONFLICT (banca_id, loteria_id, scheduled_at) DO NOTHING
            RETURNING id
        )
        SELECT v_made || coalesce(array_agg(id), '{}') INTO v_made FROM made;
    END IF;
    INSERT INTO sorteo_states (banca_id, sorteo_id, ordinal, to_status, is_active, last_sequence, at, actor_id,
                               request_id)
    SELECT p_banca, m.id, 1, 'SCHEDULED', p_active, 0, clock_timestamp(), p_actor, p_request
      FROM unnest(v_made) AS m (id);
    RETURN QUERY
    SELECT s.n::integer, s.id = ANY (v_made) FROM unnest(s_id) WITH ORDINALITY AS s (id, n) ORDER BY s.n;
END $$;

-- Change what a draw is, as long as it is not closed; its slot stays. The caller has asked for the draw's row lock before.
-- Takes   p_name_chosen: whether a person chose the name; null: as it was, unless the name is another.
-- Gives   DONE; CLOSED: it is over; FIXED: its first sale fixed its time, lottery and digits; NOT_SCHEDULED: only a
--         draw that is not open yet gets another lottery or opening instant.
DROP FUNCTION IF EXISTS edit_sorteo;
CREATE FUNCTION edit_sorteo(
    p_banca uuid, p_sorteo uuid, p_loteria uuid, p_name text, p_digits smallint, p_scheduled_at timestamptz,
    p_opens_at timestamptz, p_name_chosen boolean DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    v_old sorteos;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO STRICT v_old FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;
    IF v_old.status NOT IN ('SCHEDULED', 'OPEN') THEN
        RETURN 'CLOSED';
    END IF;
    IF v_old.last_sequence > 0
       AND (v_old.scheduled_at, v_old.loteria_id, v_old.digits) <> (p_scheduled_at, p_loteria, p_digits) THEN
        RETURN 'FIXED';
    END IF;
    IF v_old.status <> 'SCHEDULED'
       AND (v_old.loteria_id <> p_loteria OR v_old.opens_at IS DISTINCT FROM p_opens_at) THEN
        RETURN 'NOT_SCHEDULED';
    END IF;
    UPDATE sorteos s
       SET loteria_id = p_loteria, name = p_name, digits = p_digits, scheduled_at = p_scheduled_at,
           opens_at = p_opens_at, updated_at = clock_timestamp(),
           name_is_chosen = coalesce(p_name_chosen, v_old.name_is_chosen OR p_name <> v_old.name)
     WHERE s.banca_id = p_banca AND s.id = p_sorteo;
    RETURN 'DONE';
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['create_sorteos', 'edit_sorteo'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
    END LOOP;
END $$;
-- Jobs make draws too.
GRANT EXECUTE ON FUNCTION create_sorteos TO banca_worker;
