-- Delete events that every consumer has done and that were published longer ago than p_kept, and their inbox rows with
-- them; oldest first, at most p_limit. Returns how many. Runs as the owner: the worker's role may delete neither.
-- An event that comes again afterwards, however late, has no second effect: it is not in the outbox, and what is not
-- there was done by everybody if the audit has its link (sql/functions/event_standings.sql). No age could promise that of an inbox alone, since
-- a message may lie in a dead queue or be replayed at any time.
CREATE OR REPLACE FUNCTION forget_events(p_consumers text[], p_kept interval, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH done AS (
        SELECT o.id
          FROM outbox o
         WHERE o.published_at < now() - p_kept
           AND cardinality(p_consumers) > 0
           AND (SELECT count(*) FROM inbox i WHERE i.event_id = o.id AND i.consumer = ANY (p_consumers))
               = cardinality(p_consumers)
         ORDER BY o.published_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM outbox o USING done WHERE o.id = done.id RETURNING o.id
    ), emptied AS (
        DELETE FROM inbox i USING done WHERE i.event_id = done.id
    )
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION forget_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_events TO banca_worker;
