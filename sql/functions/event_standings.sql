-- How the events of messages stand here. A number alone does not name an event: after a restore it is given out again.
-- Takes   the consumer; of each event its number, banca, type and the SHA-256 of its payload. Parallel arrays.
-- Gives   of each event a standing, in the order asked:
--         NEW       the outbox has this event, and the consumer has not done it
--         DONE      the consumer has done this event. The outbox forgets only what everybody has done; then the
--                   audit's link still says which event it was
--         VANISHED  there is another event of this number, or none: the database was restored to a time before it
-- Runs as the owner: the links are shown to one banca at a time. Each look-up is by its key, whatever the statistics say.
DROP FUNCTION IF EXISTS event_standings;
CREATE FUNCTION event_standings(p_consumer text, e_id bigint[], e_banca uuid[], e_type text[], e_content bytea[])
RETURNS TABLE (event_id bigint, standing text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET jit = off
AS $$
    SELECT e.id,
           CASE WHEN o.id IS NULL
                THEN CASE WHEN (SELECT c.content_hash FROM audit_chain c
                                 WHERE c.banca_id = e.banca AND c.event_id = e.id) = e.content
                          THEN 'DONE' ELSE 'VANISHED' END
                WHEN (o.banca_id, o.type) <> (e.banca, e.type)
                     OR sha256(convert_to(o.payload::text, 'UTF8')) <> e.content
                THEN 'VANISHED'
                WHEN (SELECT i.event_id FROM inbox i WHERE i.consumer = p_consumer AND i.event_id = e.id) IS NULL
                THEN 'NEW' ELSE 'DONE' END
      FROM unnest(e_id, e_banca, e_type, e_content) WITH ORDINALITY AS e (id, banca, type, content, n)
      LEFT JOIN LATERAL (SELECT o.id, o.banca_id, o.type, o.payload FROM outbox o WHERE o.id = e.id OFFSET 0) o ON true
     ORDER BY e.n
$$;
REVOKE ALL ON FUNCTION event_standings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION event_standings TO banca_worker;
