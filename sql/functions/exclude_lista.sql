-- Lists that were not handed in: exclude_lista takes their jugadas out of a draw, include_lista brings them back. One
-- call, one transaction: records, jugadas, tickets, transfers, balances, counters, and one event.
--
-- Takes   p_ventana: a ventana, or its user. p_vendedor, p_multiplier: null for all.
-- Gives   one row. answer: what is answered, now and to the same key again; balances of the sellers it moved: [[account,
--         cents, version]]. Nothing but a success is recorded: a refusal changes nothing, and the key may be sent again.
-- Locks   the draw → the sellers' accounts by id. Under the draw's lock nobody sells, cancels or excludes besides.
-- Plans   must not try each pair of two long lists, whatever the statistics of the tables say.

DROP FUNCTION IF EXISTS exclude_lista;
CREATE FUNCTION exclude_lista(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_sorteo uuid, p_ventana uuid, p_vendedor uuid,
    p_multiplier uuid, p_reason text, p_request text
) RETURNS TABLE (outcome text, at timestamptz, answer jsonb, balances jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_claim record;
    v_at timestamptz;
    v_event bigint;
    v_sorteo sorteos;
    v_lista lista_exclusions;
    v_sequences bigint[];
    v_lines smallint[];
    v_answer jsonb;
    v_balances jsonb;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_claim FROM claim_lista(p_banca, p_actor, p_key, p_fingerprint, p_sorteo, p_ventana, p_vendedor,
                                           p_multiplier);
    IF v_claim.outcome IS NOT NULL THEN
        RETURN QUERY SELECT v_claim.outcome, v_claim.at, v_claim.answer, NULL::jsonb;
        RETURN;
    END IF;
    v_at := v_claim.at;
    v_sorteo := v_claim.sorteo;
    v_lista := v_claim.lista;
    p_ventana := v_claim.ventana;

    -- Since it was excluded nothing can have been sold of it.
    IF v_lista.id IS NULL THEN
        v_event := nextval('outbox_id');
        INSERT INTO lista_exclusions (banca_id, id, sorteo_id, ventana_id, vendedor_id, multiplier_id, reason, event_id,
                                      excluded_at, excluded_by)
        VALUES (p_banca, gen_random_uuid(), p_sorteo, p_ventana, p_vendedor, p_multiplier, p_reason, v_event, v_at,
                p_actor)
        RETURNING * INTO v_lista;
        UPDATE sorteos s SET has_exclusions = true
         WHERE s.banca_id = p_banca AND s.id = p_sorteo AND NOT s.has_exclusions;

        -- What another exclusion has taken out already stays its own.
        WITH jugada AS MATERIALIZED (
            SELECT row_number() OVER (ORDER BY j.sequence, j.line) AS n, j.sequence, j.line, t.ventana_id,
                   t.vendedor_id, j.number, j.type = 'REVENTADO' AS reventado, j.multiplier_id, j.exclusion_id
              FROM tickets t
              JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = t.business_date AND j.sorteo_id = p_sorteo
                   AND j.sequence = t.sequence
             WHERE t.banca_id = p_banca AND t.business_date = v_sorteo.business_date AND t.sorteo_id = p_sorteo
               AND t.ventana_id = p_ventana AND (p_vendedor IS NULL OR t.vendedor_id = p_vendedor)
               AND t.status = 'ACTIVE'
        )
        SELECT array_agg(j.sequence ORDER BY j.n), array_agg(j.line ORDER BY j.n) INTO v_sequences, v_lines
          FROM (SELECT array_agg(p_sorteo) AS sorteo, array_agg(sequence ORDER BY n) AS ticket,
                       array_agg(ventana_id ORDER BY n) AS ventana, array_agg(vendedor_id ORDER BY n) AS vendedor,
                       array_agg(number ORDER BY n) AS number, array_agg(reventado ORDER BY n) AS reventado,
                       array_agg(multiplier_id ORDER BY n) AS multiplier
                  FROM jugada) a
         CROSS JOIN LATERAL covering_exclusions(p_banca, a.sorteo, a.ticket, a.ventana, a.vendedor, a.number,
                                                a.reventado, a.multiplier) c
          JOIN jugada j ON j.n = c.place
         WHERE j.exclusion_id IS NULL;

        PERFORM lock_sellers(v_sorteo, v_sequences);
        UPDATE jugadas j SET exclusion_id = v_lista.id
          FROM unnest(v_sequences, v_lines) AS x (sequence, line)
         WHERE j.banca_id = p_banca AND j.business_date = v_sorteo.business_date AND j.sorteo_id = p_sorteo
           AND j.sequence = x.sequence AND j.line = x.line;
        UPDATE tickets t SET status = 'EXCLUDED'
         WHERE t.banca_id = p_banca AND t.business_date = v_sorteo.business_date AND t.sorteo_id = p_sorteo
           AND t.sequence IN (SELECT unnest(v_sequences))
           AND NOT EXISTS (SELECT FROM jugadas j
                            WHERE j.banca_id = p_banca AND j.business_date = t.business_date
                              AND j.sorteo_id = p_sorteo AND j.sequence = t.sequence AND j.exclusion_id IS NULL);
        SELECT jsonb_agg(jsonb_build_array(m.account_id, m.balance_cents, m.balance_version)) INTO v_balances
          FROM move_jugadas(p_banca, v_sorteo.business_date, p_sorteo, v_sequences, v_lines, false, v_event, v_at) m;
        UPDATE lista_exclusions e
           SET tickets_count = x.tickets, jugadas_count = x.jugadas, amount_cents = x.amount
          FROM (SELECT count(DISTINCT j.sequence) AS tickets, count(j.line) AS jugadas,
                       coalesce(sum(j.amount_cents), 0) AS amount
                  FROM unnest(v_sequences, v_lines) AS p (sequence, line)
                  JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = v_sorteo.business_date
                       AND j.sorteo_id = p_sorteo AND j.sequence = p.sequence AND j.line = p.line) x
         WHERE e.banca_id = p_banca AND e.id = v_lista.id
        RETURNING e.* INTO v_lista;
    END IF;

    v_answer := jsonb_build_object(
        'exclusionId', v_lista.id, 'sorteoId', p_sorteo, 'ventanaId', p_ventana, 'vendedorId', p_vendedor,
        'multiplierId', p_multiplier, 'reason', v_lista.reason, 'at', v_lista.excluded_at, 'by', v_lista.excluded_by,
        'tickets', CASE WHEN v_event IS NULL THEN 0 ELSE v_lista.tickets_count END,
        'jugadas', CASE WHEN v_event IS NULL THEN 0 ELSE v_lista.jugadas_count END,
        'amountCents', CASE WHEN v_event IS NULL THEN 0 ELSE v_lista.amount_cents END);
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, sorteo_id, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, 'EXCLUDED', p_sorteo, v_answer, v_at);
    IF v_event IS NOT NULL THEN
        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        VALUES (v_event, p_banca, 'listas.excluded',
                lista_payload(v_answer, v_at, p_actor, p_key, p_request), v_at);
    END IF;
    RETURN QUERY SELECT 'EXCLUDED', v_at, v_answer, v_balances;
END $$;

DROP FUNCTION IF EXISTS include_lista;
CREATE FUNCTION include_lista(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_sorteo uuid, p_ventana uuid, p_vendedor uuid,
    p_multiplier uuid, p_request text
) RETURNS TABLE (outcome text, at timestamptz, answer jsonb, balances jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_claim record;
    v_at timestamptz;
    v_event bigint;
    v_sorteo sorteos;
    v_lista lista_exclusions;
    v_sequences bigint[];
    v_lines smallint[];
    v_answer jsonb;
    v_balances jsonb;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_claim FROM claim_lista(p_banca, p_actor, p_key, p_fingerprint, p_sorteo, p_ventana, p_vendedor,
                                           p_multiplier);
    IF v_claim.outcome IS NOT NULL OR (v_claim.lista).id IS NULL THEN
        RETURN QUERY SELECT coalesce(v_claim.outcome, 'EXCLUSION_NOT_FOUND'), v_claim.at, v_claim.answer, NULL::jsonb;
        RETURN;
    END IF;
    v_at := v_claim.at;
    v_sorteo := v_claim.sorteo;
    v_lista := v_claim.lista;
    p_ventana := v_claim.ventana;

    v_event := nextval('outbox_id');
    UPDATE lista_exclusions e SET lifted_at = v_at, lifted_by = p_actor, lifted_event_id = v_event
     WHERE e.banca_id = p_banca AND e.id = v_lista.id;
    UPDATE sorteos s SET has_exclusions = EXISTS (
               SELECT FROM lista_exclusions e
                WHERE e.banca_id = p_banca AND e.sorteo_id = p_sorteo AND e.lifted_at IS NULL)
     WHERE s.banca_id = p_banca AND s.id = p_sorteo;

    -- What another exclusion covers too goes over to that one. A ticket that was cancelled meanwhile is let go, and
    -- nothing of it moves.
    WITH jugada AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY j.sequence, j.line) AS n, j.sequence, j.line, t.ventana_id, t.vendedor_id,
               j.number, j.type = 'REVENTADO' AS reventado, j.multiplier_id, j.exclusion_id, t.status
          FROM tickets t
          JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = t.business_date AND j.sorteo_id = p_sorteo
               AND j.sequence = t.sequence
         WHERE t.banca_id = p_banca AND t.business_date = v_sorteo.business_date AND t.sorteo_id = p_sorteo
           AND t.ventana_id = p_ventana AND (p_vendedor IS NULL OR t.vendedor_id = p_vendedor)
    ), covered AS (
        SELECT c.place, c.exclusion_id
          FROM (SELECT array_agg(p_sorteo) AS sorteo, array_agg(sequence ORDER BY n) AS ticket,
                       array_agg(ventana_id ORDER BY n) AS ventana, array_agg(vendedor_id ORDER BY n) AS vendedor,
                       array_agg(number ORDER BY n) AS number, array_agg(reventado ORDER BY n) AS reventado,
                       array_agg(multiplier_id ORDER BY n) AS multiplier
                  FROM jugada) a
         CROSS JOIN LATERAL covering_exclusions(p_banca, a.sorteo, a.ticket, a.ventana, a.vendedor, a.number,
                                                a.reventado, a.multiplier) c
    ), freed AS (
        UPDATE jugadas j SET exclusion_id = x.other
          FROM (SELECT j.sequence, j.line, c.exclusion_id AS other
                  FROM jugada j LEFT JOIN covered c ON c.place = j.n
                 WHERE j.exclusion_id = v_lista.id) x
         WHERE j.banca_id = p_banca AND j.business_date = v_sorteo.business_date AND j.sorteo_id = p_sorteo
           AND j.sequence = x.sequence AND j.line = x.line
        RETURNING j.sequence, j.line, j.exclusion_id
    )
    SELECT array_agg(f.sequence), array_agg(f.line) INTO v_sequences, v_lines
      FROM freed f JOIN jugada j ON j.sequence = f.sequence AND j.line = f.line
     WHERE f.exclusion_id IS NULL AND j.status <> 'CANCELLED';

    PERFORM lock_sellers(v_sorteo, v_sequences);
    UPDATE tickets t SET status = 'ACTIVE'
     WHERE t.banca_id = p_banca AND t.business_date = v_sorteo.business_date AND t.sorteo_id = p_sorteo
       AND t.sequence IN (SELECT unnest(v_sequences)) AND t.status = 'EXCLUDED';
    SELECT jsonb_agg(jsonb_build_array(m.account_id, m.balance_cents, m.balance_version)) INTO v_balances
      FROM move_jugadas(p_banca, v_sorteo.business_date, p_sorteo, v_sequences, v_lines, true, v_event, v_at) m;

    SELECT jsonb_build_object(
               'exclusionId', v_lista.id, 'sorteoId', p_sorteo, 'ventanaId', p_ventana, 'vendedorId', p_vendedor,
               'multiplierId', p_multiplier, 'reason', v_lista.reason, 'at', v_at, 'by', p_actor,
               'tickets', count(DISTINCT j.sequence), 'jugadas', count(j.line),
               'amountCents', coalesce(sum(j.amount_cents), 0))
      INTO v_answer
      FROM unnest(v_sequences, v_lines) AS p (sequence, line)
      JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = v_sorteo.business_date
           AND j.sorteo_id = p_sorteo AND j.sequence = p.sequence AND j.line = p.line;
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, sorteo_id, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, 'INCLUDED', p_sorteo, v_answer, v_at);
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (v_event, p_banca, 'listas.included', lista_payload(v_answer, v_at, p_actor, p_key, p_request), v_at);
    RETURN QUERY SELECT 'INCLUDED', v_at, v_answer, v_balances;
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['exclude_lista', 'include_lista'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION exclude_lista, include_lista TO banca_api;
