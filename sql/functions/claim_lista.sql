-- What exclude_lista and include_lista (sql/functions/exclude_lista.sql) have in common.

-- Where the list is, and what speaks against touching it.
DROP FUNCTION IF EXISTS find_lista;
CREATE FUNCTION find_lista(
    p_banca uuid, p_sorteo sorteos, INOUT p_ventana uuid, p_vendedor uuid, p_multiplier uuid, OUT verdict text
)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    SELECT v.id INTO p_ventana FROM ventanas v
     WHERE v.banca_id = p_banca
       AND v.id = coalesce((SELECT u.ventana_id FROM users u
                             WHERE u.banca_id = p_banca AND u.id = p_ventana AND u.role = 'VENTANA'), p_ventana);
    verdict := CASE
        WHEN p_sorteo.id IS NULL THEN 'SORTEO_NOT_FOUND'
        WHEN p_ventana IS NULL THEN 'VENTANA_NOT_FOUND'
        WHEN p_vendedor IS NOT NULL AND NOT EXISTS (
            SELECT FROM users u WHERE u.banca_id = p_banca AND u.id = p_vendedor AND u.role = 'VENDEDOR')
            THEN 'VENDEDOR_NOT_FOUND'
        WHEN p_multiplier IS NOT NULL AND NOT EXISTS (
            SELECT FROM loteria_multipliers m
             WHERE m.banca_id = p_banca AND m.id = p_multiplier AND m.loteria_id = p_sorteo.loteria_id)
            THEN 'MULTIPLIER_NOT_FOUND'
        WHEN p_sorteo.status = 'SCHEDULED' THEN 'SORTEO_NOT_OPEN'
        -- Also while its prizes are being paid, or taken back.
        WHEN p_sorteo.status = 'EVALUATED' OR EXISTS (
            SELECT FROM sorteo_results r
             WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo.id AND r.state <> 'REVERTED')
            THEN 'SORTEO_EVALUATED'
        -- Or was, when it sold for this draw.
        WHEN p_vendedor IS NOT NULL AND NOT EXISTS (
            SELECT FROM users u WHERE u.banca_id = p_banca AND u.id = p_vendedor AND u.ventana_id = p_ventana)
         AND NOT EXISTS (
            SELECT FROM tickets t
             WHERE t.banca_id = p_banca AND t.vendedor_id = p_vendedor AND t.business_date = p_sorteo.business_date
               AND t.sorteo_id = p_sorteo.id AND t.ventana_id = p_ventana)
            THEN 'VENDEDOR_NOT_IN_VENTANA'
    END;
END $$;

-- What both begin with: the draw locked, the key not known yet, the list found.
-- Gives   outcome: null, or what is answered and nothing done, with what was answered before. ventana: the list's. lista: the
--         exclusion of just this list that stands, all null where none does.
DROP FUNCTION IF EXISTS claim_lista;
CREATE FUNCTION claim_lista(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_sorteo uuid, p_ventana uuid, p_vendedor uuid,
    p_multiplier uuid,
    OUT outcome text, OUT at timestamptz, OUT answer jsonb, OUT sorteo sorteos, OUT ventana uuid,
    OUT lista lista_exclusions
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_known idempotency;
BEGIN
    SELECT * INTO sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;
    at := date_trunc('milliseconds', clock_timestamp());
    SELECT * INTO v_known FROM idempotency k
     WHERE k.banca_id = p_banca AND k.actor_id = p_actor AND k.key = p_key;
    IF FOUND THEN
        outcome := CASE WHEN v_known.fingerprint = p_fingerprint THEN 'KNOWN' ELSE 'MISMATCH' END;
        at := v_known.created_at;
        answer := v_known.answer;
        RETURN;
    END IF;
    SELECT f.p_ventana, f.verdict INTO ventana, outcome
      FROM find_lista(p_banca, sorteo, p_ventana, p_vendedor, p_multiplier) f;
    SELECT * INTO lista FROM lista_exclusions e
     WHERE e.banca_id = p_banca AND e.sorteo_id = p_sorteo AND e.ventana_id = ventana
       AND e.vendedor_id IS NOT DISTINCT FROM p_vendedor AND e.multiplier_id IS NOT DISTINCT FROM p_multiplier
       AND e.lifted_at IS NULL;
    -- The seller may have gone elsewhere since it was excluded.
    IF outcome = 'VENDEDOR_NOT_IN_VENTANA' AND lista.id IS NOT NULL THEN
        outcome := NULL;
    END IF;
END $$;

-- The accounts of those who sold these tickets, by id.
DROP FUNCTION IF EXISTS lock_sellers;
CREATE FUNCTION lock_sellers(p_sorteo sorteos, p_sequences bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM 1 FROM accounts a
      WHERE a.banca_id = p_sorteo.banca_id
        AND a.id IN (SELECT t.vendedor_id FROM unnest(p_sequences) AS x (sequence)
                      CROSS JOIN LATERAL find_ticket(p_sorteo.banca_id, p_sorteo.business_date, p_sorteo.id,
                                                     x.sequence) t)
      ORDER BY a.id FOR NO KEY UPDATE;
END $$;

-- The event of a list: what was answered, and who asked for it.
CREATE OR REPLACE FUNCTION lista_payload(p_answer jsonb, p_at timestamptz, p_actor uuid, p_key text, p_request text)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
               'at', p_at, 'exclusionId', p_answer -> 'exclusionId', 'sorteoId', p_answer -> 'sorteoId',
               'ventanaId', p_answer -> 'ventanaId', 'vendedorId', p_answer -> 'vendedorId',
               'multiplierId', p_answer -> 'multiplierId', 'reason', p_answer -> 'reason',
               'tickets', p_answer -> 'tickets', 'jugadas', p_answer -> 'jugadas',
               'amountCents', p_answer -> 'amountCents', 'actorId', p_actor,
               'actorRole', (SELECT u.role FROM users u WHERE u.id = p_actor), 'key', p_key, 'requestId', p_request)
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['find_lista', 'claim_lista', 'lock_sellers', 'lista_payload'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
