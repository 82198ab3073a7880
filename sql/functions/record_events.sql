-- Record events in the audit trail: their operations, their links of the chain, their inbox rows; all of them or none,
-- in one statement. An event that is done already is passed over.
-- Takes   p_genesis: what the first link of a chain follows; of each event its banca, id and content hash; of each
--         operation its event and its row. Parallel arrays; the events in any order, none twice. e_type: of each event,
--         null from workers of the release before.
-- Gives   the ids of the events that are recorded now.
-- Locks   the audit of each banca, in their order: the chain has one end, and no two calls wait for each other.
-- Runs as its caller, whom row security shows one banca at a time.
DROP FUNCTION IF EXISTS record_events;
CREATE FUNCTION record_events(
    p_consumer text, p_genesis bytea, e_banca uuid[], e_id bigint[], e_content bytea[],
    a_event bigint[], a_line integer[], a_day date[], a_at timestamptz[], a_action text[], a_actor uuid[],
    a_target_type text[], a_target uuid[], a_layer text[], a_request text[], a_details text[],
    e_type text[] DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_banca uuid;
    v_fresh bigint[];
    v_ids bigint[];
    v_counts integer[];
    v_contents bytea[];
    v_rows bytea[];
    v_position bigint;
    v_hash bytea;
    v_previous bytea[];
    v_hashes bytea[];
BEGIN
    FOR v_banca IN SELECT DISTINCT banca FROM unnest(e_banca) AS e (banca) ORDER BY banca LOOP
        -- In a statement of its own: the next ones then see what the lock's holder before us wrote.
        PERFORM set_config('app.banca_id', v_banca::text, true),
                pg_advisory_xact_lock(hashtext('banca.audit'), hashtext(v_banca::text));

        -- Done is what the inbox has, or what the outbox has no more: it forgets only what everybody has done. Another
        -- event of that number is not this one (event_standings.sql).
        SELECT array_agg(e.id) INTO v_fresh
          FROM unnest(e_banca, e_id, e_content, e_type) AS e (banca, id, content, type)
         WHERE e.banca = v_banca
           AND (SELECT i.event_id FROM inbox i WHERE i.consumer = p_consumer AND i.event_id = e.id) IS NULL
           AND (SELECT o.banca_id = e.banca AND o.type = coalesce(e.type, o.type)
                       AND sha256(convert_to(o.payload::text, 'UTF8')) = e.content
                  FROM outbox o WHERE o.id = e.id);
        CONTINUE WHEN v_fresh IS NULL;

        WITH written AS (
            INSERT INTO activity_log (
                banca_id, event_id, line, occurred_on, occurred_at, action, actor_id, target_type, target_id, layer,
                request_id, details)
            SELECT v_banca, a.event_id, a.line, a.day, a.at, a.action, a.actor, a.target_type, a.target, a.layer,
                   a.request, a.details::jsonb
              FROM unnest(a_event, a_line, a_day, a_at, a_action, a_actor, a_target_type, a_target, a_layer,
                          a_request, a_details)
                   AS a (event_id, line, day, at, action, actor, target_type, target, layer, request, details)
             WHERE a.event_id = ANY (v_fresh)
            RETURNING event_id, line, activity_canonical(activity_log) AS canonical
        ), hashed AS (
            SELECT event_id, count(*)::integer AS rows_count,
                   sha256(convert_to(string_agg(canonical, E'\n' ORDER BY line), 'UTF8')) AS rows_hash
              FROM written
             GROUP BY event_id
        )
        SELECT array_agg(event_id ORDER BY event_id), array_agg(rows_count ORDER BY event_id),
               array_agg(rows_hash ORDER BY event_id), array_agg(e.content ORDER BY event_id)
          INTO v_ids, v_counts, v_rows, v_contents
          FROM hashed JOIN unnest(e_id, e_content) AS e (event_id, content) USING (event_id);
        ASSERT cardinality(v_ids) = cardinality(v_fresh), 'an event without operations';

        SELECT c.position, c.hash INTO v_position, v_hash
          FROM audit_chain c WHERE c.banca_id = v_banca ORDER BY c.position DESC LIMIT 1;
        v_position := coalesce(v_position, 0);
        v_hash := coalesce(v_hash, p_genesis);
        v_previous := '{}';
        v_hashes := '{}';
        FOR n IN 1 .. cardinality(v_ids) LOOP
            v_previous := array_append(v_previous, v_hash);
            v_hash := audit_link(v_hash, v_contents[n], v_rows[n]);
            v_hashes := array_append(v_hashes, v_hash);
        END LOOP;

        WITH done AS (
            INSERT INTO inbox (consumer, event_id) SELECT p_consumer, id FROM unnest(v_ids) AS e (id)
        )
        INSERT INTO audit_chain (banca_id, position, event_id, rows_count, content_hash, previous_hash, hash)
        SELECT v_banca, v_position + l.n, l.event_id, l.rows_count, l.content_hash, l.previous_hash, l.hash
          FROM unnest(v_ids, v_counts, v_contents, v_previous, v_hashes) WITH ORDINALITY
               AS l (event_id, rows_count, content_hash, previous_hash, hash, n);
        RETURN QUERY SELECT unnest(v_ids);
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION record_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_events TO banca_worker;
