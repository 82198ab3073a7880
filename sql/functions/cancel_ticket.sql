-- Cancel one ticket that the actor may act on, by its id or by the key of its sale: one call, one transaction.
--
-- Takes   exactly one of p_ticket (sold for a draw of p_sold_from or later) and p_sale_key. p_cutoff_s: of p_vendedor's
--         tickets, as the rulebook p_version says, from p_valid_from until p_valid_until. p_vendedor is null when the
--         actor is no seller and the ticket is not known yet.
-- Gives   one row. RETRY: the sale arrived while we looked; call again. STALE: p_cutoff_s is not this ticket's now. A
--         tombstone (CANCELLED_UNSOLD) refuses the sale should it still come.
-- Locks   the draw → the account (claim_ticket); by a sale's key the ticket is looked up before, and once more under the
--         account's lock.
-- Plans   are made once: they keep to the keys, whatever the statistics said then. A ticket that is known is named by every
--         key that it has, so that each index leads to it alone.
DROP FUNCTION IF EXISTS cancel_ticket;
CREATE FUNCTION cancel_ticket(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer,
    p_key text, p_fingerprint bytea, p_ticket uuid, p_sold_from date, p_sale_key text, p_request text,
    p_version bigint, p_cutoff_s integer, p_valid_from timestamptz, p_valid_until timestamptz,
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    outcome text, recorded text, business_date date, sorteo_id uuid, sequence bigint, at timestamptz,
    violations jsonb, balance_cents bigint, balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    v_claim record;
    v_at timestamptz;
    v_event bigint;
    v_ticket tickets;
    v_sorteo sorteos;
    v_sale record;
    v_account accounts;
    v_lines smallint[];
    v_violation jsonb;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_claim
      FROM claim_ticket(p_banca, p_actor, p_vendedor, p_session, p_terminal, p_key_version, p_key, p_fingerprint,
                        p_ticket, p_sold_from, p_sale_key, p_version, p_valid_from, p_valid_until, p_at);
    IF v_claim.outcome IS NOT NULL THEN
        RETURN QUERY SELECT v_claim.outcome, v_claim.recorded, v_claim.business_date, v_claim.sorteo_id,
                            v_claim.sequence, v_claim.at, v_claim.violations, NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    v_at := v_claim.now_at;
    v_ticket := v_claim.ticket;
    v_sorteo := v_claim.sorteo;

    IF v_ticket.id IS NULL THEN
        -- Another actor's sale from this terminal holds no lock of ours: one that is not written yet is met where the
        -- tombstone is written, and the call is repeated.
        SELECT (k.used).*, k.is_ambiguous INTO v_sale FROM find_key(p_banca, p_actor, p_terminal, p_sale_key) k;
        IF v_sale.outcome = 'SOLD' AND NOT v_sale.is_ambiguous THEN
            RETURN QUERY SELECT 'RETRY', NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at, NULL::jsonb,
                                NULL::bigint, NULL::bigint;
            RETURN;
        END IF;
        IF v_sale.is_ambiguous OR v_sale.outcome NOT IN ('SOLD_OUT', 'NO_FUNDS', 'CLOSED', 'TOMBSTONE') THEN
            -- The key of something else: no sale can ever have it.
            RETURN QUERY SELECT 'MISMATCH', NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at, NULL::jsonb,
                                NULL::bigint, NULL::bigint;
            RETURN;
        END IF;
        IF v_sale.outcome IS NOT NULL AND v_sale.outcome <> 'TOMBSTONE' THEN
            v_violation := jsonb_build_object('code', 'SALE_WAS_REFUSED');
        ELSE
            IF v_sale.outcome IS NULL THEN
                INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, created_at)
                VALUES (p_banca, p_actor, p_terminal, p_sale_key, p_fingerprint, 'TOMBSTONE', v_at);
            END IF;
            INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, created_at)
            VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'CANCELLED_UNSOLD', v_at);
            RETURN QUERY SELECT 'CANCELLED_UNSOLD', NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at,
                                NULL::jsonb, NULL::bigint, NULL::bigint;
            RETURN;
        END IF;
    ELSE
        v_violation := CASE
            WHEN v_ticket.status = 'CANCELLED' THEN
                jsonb_build_object('code', 'TICKET_ALREADY_CANCELLED', 'at', v_ticket.cancelled_at)
            WHEN v_ticket.status = 'EXCLUDED' THEN jsonb_build_object('code', 'TICKET_EXCLUDED')
            WHEN v_sorteo.status IN ('CLOSED', 'EVALUATED') THEN
                jsonb_build_object('code', 'SORTEO_LOCKED', 'status', v_sorteo.status)
            WHEN v_at >= v_sorteo.scheduled_at - make_interval(secs => p_cutoff_s - 1) THEN
                jsonb_build_object('code', 'SALES_CUTOFF_REACHED', 'scheduledAt', v_sorteo.scheduled_at,
                                   'cutoffS', p_cutoff_s, 'at', v_at) END;
    END IF;

    IF v_violation IS NOT NULL THEN
        INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, violations, created_at)
        VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'CANCEL_REFUSED', jsonb_build_array(v_violation),
                v_at);
        RETURN QUERY SELECT 'CANCEL_REFUSED', NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at,
                            jsonb_build_array(v_violation), NULL::bigint, NULL::bigint;
        RETURN;
    END IF;

    v_event := nextval('outbox_id');
    UPDATE tickets t SET status = 'CANCELLED', cancelled_at = v_at, cancelled_by = p_actor
     WHERE t.banca_id = p_banca AND t.business_date = v_ticket.business_date
       AND t.sorteo_id = v_ticket.sorteo_id AND t.sequence = v_ticket.sequence
       AND t.vendedor_id = v_ticket.vendedor_id AND t.id = v_ticket.id;

    -- What an exclusion took out is back with its seller already.
    SELECT array_agg(j.line) INTO v_lines FROM jugadas j
     WHERE j.banca_id = p_banca AND j.business_date = v_ticket.business_date AND j.sorteo_id = v_ticket.sorteo_id
       AND j.sequence = v_ticket.sequence AND j.exclusion_id IS NULL;
    SELECT m.balance_cents, m.balance_version INTO v_account.balance_cents, v_account.balance_version
      FROM move_jugadas(p_banca, v_ticket.business_date, v_ticket.sorteo_id,
                        array_fill(v_ticket.sequence, ARRAY[cardinality(v_lines)]), v_lines, false, v_event, v_at) m;

    INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, business_date, sorteo_id,
                             sequence, created_at)
    VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'CANCELLED', v_ticket.business_date,
            v_ticket.sorteo_id, v_ticket.sequence, v_at);

    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (v_event, p_banca, 'tickets.cancelled', json_build_object(
                'at', v_at, 'ticketId', v_ticket.id, 'sorteoId', v_ticket.sorteo_id, 'sequence', v_ticket.sequence,
                'vendedorId', v_ticket.vendedor_id, 'actorId', p_actor, 'actorRole', (SELECT u.role FROM users u WHERE u.id = p_actor),
                'terminalId', p_terminal, 'totalCents', v_ticket.total_cents, 'key', p_key, 'requestId', p_request),
            v_at);

    RETURN QUERY SELECT 'CANCELLED', NULL::text, v_ticket.business_date, v_ticket.sorteo_id, v_ticket.sequence, v_at,
                        NULL::jsonb, v_account.balance_cents, v_account.balance_version;
END $$;

ALTER FUNCTION cancel_ticket OWNER TO banca_definer;
REVOKE ALL ON FUNCTION cancel_ticket FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cancel_ticket TO banca_api;
