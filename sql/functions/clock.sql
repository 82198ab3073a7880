-- The time. p_at counts only where the owner lets tests tell it.
DROP FUNCTION IF EXISTS statement_clock;
DROP FUNCTION IF EXISTS database_clock;
CREATE FUNCTION database_clock(p_at timestamptz) RETURNS timestamptz
LANGUAGE sql VOLATILE
AS $$
    SELECT CASE WHEN p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN p_at ELSE clock_timestamp() END
$$;
ALTER FUNCTION database_clock OWNER TO banca_definer;
REVOKE ALL ON FUNCTION database_clock FROM PUBLIC;
