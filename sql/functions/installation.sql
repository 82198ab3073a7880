-- What a process asks before it begins: whether it and its secrets belong to this database.

-- Gives   the least migration that a program must know to run on this database; 0: any will do (core/migrations.py).
CREATE OR REPLACE FUNCTION programs_from() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(max(programs_from), 0) FROM schema_migrations
$$;

-- Binds master keys to this installation, or finds that they are others. The first that come are believed; a new one only
-- together with one that is known, as when keys are rotated.
--
-- Takes   the keys' ids, and a value of each that only the right key gives.
-- Gives   BOUND (all are, now), DIFFERENT (ids: bound to other keys) or UNKNOWN (none is known; ids: those that are);
--         and with BOUND, the ids of keys that terminals need and that were not given. Of the others nothing is written.
-- Locks   the table against others that bind, when there is something to bind.
CREATE OR REPLACE FUNCTION bind_master_keys(p_ids text[], p_checks text[])
RETURNS TABLE (verdict text, ids text[], missing text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_ids text[];
BEGIN
    IF EXISTS (SELECT FROM unnest(p_ids) g (id) WHERE NOT EXISTS (SELECT FROM master_key_checks c WHERE c.key_id = g.id))
       THEN
        -- Nobody binds another key meanwhile.
        PERFORM pg_advisory_xact_lock(hashtext('banca.master_keys'));
    END IF;
    SELECT array_agg(c.key_id ORDER BY c.key_id) INTO v_ids
      FROM unnest(p_ids, p_checks) g (id, check_value)
      JOIN master_key_checks c ON c.key_id = g.id AND c.check_value <> g.check_value;
    IF v_ids IS NOT NULL THEN
        RETURN QUERY SELECT 'DIFFERENT', v_ids, '{}'::text[];
        RETURN;
    END IF;
    SELECT array_agg(c.key_id ORDER BY c.key_id) INTO v_ids FROM master_key_checks c;
    IF v_ids IS NOT NULL AND NOT v_ids && p_ids THEN
        RETURN QUERY SELECT 'UNKNOWN', v_ids, '{}'::text[];
        RETURN;
    END IF;
    IF NOT p_ids <@ coalesce(v_ids, '{}') THEN
        INSERT INTO master_key_checks (key_id, check_value)
        SELECT g.id, g.check_value FROM unnest(p_ids, p_checks) g (id, check_value)
        ON CONFLICT (key_id) DO NOTHING;
    END IF;
    RETURN QUERY
    SELECT 'BOUND', p_ids,
           ARRAY(SELECT DISTINCT t.master_key_id FROM terminals t WHERE t.master_key_id <> ALL (p_ids) ORDER BY 1);
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['programs_from', 'bind_master_keys'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
    END LOOP;
    GRANT EXECUTE ON FUNCTION programs_from TO banca_worker;
END $$;
