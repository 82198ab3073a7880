-- Whether cached balances may be believed (core/balance_doubts.py).

-- Says that they may not, for so many seconds from now.
DROP FUNCTION IF EXISTS doubt_balances;
CREATE FUNCTION doubt_balances(p_process uuid, p_seconds double precision) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM balance_doubts d WHERE d.until < clock_timestamp() AND d.process <> p_process;
    INSERT INTO balance_doubts AS d (process, until) VALUES (p_process, clock_timestamp() + make_interval(secs => p_seconds))
    ON CONFLICT (process) DO UPDATE SET until = greatest(d.until, excluded.until);
$$;

-- Takes this process's doubt back.
DROP FUNCTION IF EXISTS trust_balances;
CREATE FUNCTION trust_balances(p_process uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM balance_doubts d WHERE d.process = p_process;
$$;

DROP FUNCTION IF EXISTS are_balances_doubted;
CREATE FUNCTION are_balances_doubted() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM balance_doubts d WHERE d.until >= clock_timestamp())
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['doubt_balances', 'trust_balances', 'are_balances_doubted'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
    END LOOP;
END $$;
