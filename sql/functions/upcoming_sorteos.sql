-- The draws of every banca that open or close by themselves before p_until: those that wait to be opened, and those
-- whose draw is so near that selling may end. The nearest first, at most p_limit.
-- Gives   rulebook_version: what the banca's rules are now; at: when this was looked up.
-- Runs as the owner, whom row security shows every banca.
DROP FUNCTION IF EXISTS upcoming_sorteos;
CREATE FUNCTION upcoming_sorteos(p_ahead interval, p_limit integer, p_at timestamptz DEFAULT NULL) RETURNS TABLE (
    banca_id uuid, id uuid, status text, scheduled_at timestamptz, opens_at timestamptz, rulebook_version bigint,
    at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
-- Statistics of a fresh table must never make the plan scan it.
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_at timestamptz := clock_timestamp();
BEGIN
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        v_at := p_at;
    END IF;
    RETURN QUERY
    SELECT s.banca_id, s.id, s.status::text, s.scheduled_at, s.opens_at, b.rulebook_version, v_at
      -- In the order of the index that holds no others: another one that serves too would be read as a whole.
      FROM ((SELECT * FROM sorteos WHERE status = 'OPEN' AND scheduled_at < v_at + p_ahead
              ORDER BY scheduled_at LIMIT p_limit)
            UNION ALL
            (SELECT * FROM sorteos WHERE status = 'SCHEDULED' AND is_active AND opens_at <= v_at
              ORDER BY opens_at LIMIT p_limit)) s
      JOIN bancas b ON b.id = s.banca_id
     ORDER BY s.scheduled_at, s.id
     LIMIT p_limit;
END $$;
REVOKE ALL ON FUNCTION upcoming_sorteos FROM PUBLIC;
GRANT EXECUTE ON FUNCTION upcoming_sorteos TO banca_worker;
