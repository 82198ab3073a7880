-- Restore one cancelled ticket, at the terms that it was sold at: one call, one transaction. Cutoff, limits and funds are
-- judged again, as if it were sold now.
--
-- Takes   p_cutoff_s and the limits of p_vendedor's ticket, as the rulebook p_version says, from p_valid_from until
--         p_valid_until. p_broken: what it does not meet by itself, its multipliers and the limits of a single ticket, as
--         violations; null: nothing. k_*, r_*, l_*, f_*, f_unbound: as sell_tickets takes them, of this one ticket.
-- Gives   one row. STALE: they are not this ticket's now. RESTORED and REFUSED are recorded under the key.
-- Locks   the draw → the account (claim_ticket).
-- Plans   are made once: they keep to the keys, whatever the statistics said then. A ticket that is known is named by every
--         key that it has, so that each index leads to it alone.
DROP FUNCTION IF EXISTS restore_ticket;
CREATE FUNCTION restore_ticket(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer,
    p_key text, p_fingerprint bytea, p_ticket uuid, p_sold_from date, p_request text,
    p_version bigint, p_cutoff_s integer, p_valid_from timestamptz, p_valid_until timestamptz,
    p_broken jsonb,
    k_sorteo uuid[], k_scope text[], k_scope_id uuid[], k_multiplier_key uuid[],
    r_sorteo uuid[], r_scope text[], r_multiplier_key uuid[], r_cap bigint[], r_base bigint[], r_basis_points integer[],
    r_accumulates boolean[], r_code text[], r_label text[],
    l_rule integer[], l_scope_id uuid[], l_number smallint[],
    f_ticket integer[], f_limit integer[], f_amount bigint[], f_unbound integer[],
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
    -- Whoever cancels and restores one ticket more often plays; the ordinals of its transfers are bounded.
    c_restores_max CONSTANT integer := 100;
    v_claim record;
    v_at timestamptz;
    v_event bigint;
    v_gate text;
    v_ticket tickets;
    v_sorteo sorteos;
    v_account accounts;
    v_lines smallint[];
    v_payouts record;
    v_payout_max bigint;
    v_verdict sale_verdict;
    v_violations jsonb;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_claim
      FROM claim_ticket(p_banca, p_actor, p_vendedor, p_session, p_terminal, p_key_version, p_key, p_fingerprint,
                        p_ticket, p_sold_from, NULL, p_version, p_valid_from, p_valid_until, p_at);
    IF v_claim.outcome IS NOT NULL THEN
        RETURN QUERY SELECT v_claim.outcome, v_claim.recorded, v_claim.business_date, v_claim.sorteo_id,
                            v_claim.sequence, v_claim.at, v_claim.violations, NULL::bigint, NULL::bigint;
        RETURN;
    END IF;
    v_at := v_claim.now_at;
    v_ticket := v_claim.ticket;
    v_sorteo := v_claim.sorteo;
    v_account := v_claim.account;

    v_gate := CASE
        WHEN v_sorteo.status = 'SCHEDULED' OR v_sorteo.status = 'OPEN' AND NOT v_sorteo.is_active
             THEN 'SORTEO_NOT_OPEN'
        WHEN v_sorteo.has_exclusions AND EXISTS (
            SELECT FROM (
                SELECT array_agg(j.sorteo_id) AS sorteo, array_agg(j.sequence) AS ticket,
                       array_agg(v_ticket.ventana_id) AS ventana, array_agg(v_ticket.vendedor_id) AS vendedor,
                       array_agg(j.number) AS number, array_agg(j.type = 'REVENTADO') AS reventado,
                       array_agg(j.multiplier_id) AS multiplier
                  FROM jugadas j
                 WHERE j.banca_id = p_banca AND j.business_date = v_ticket.business_date
                   AND j.sorteo_id = v_ticket.sorteo_id AND j.sequence = v_ticket.sequence) a
             CROSS JOIN LATERAL covering_exclusions(p_banca, a.sorteo, a.ticket, a.ventana, a.vendedor, a.number,
                                                    a.reventado, a.multiplier))
             THEN 'LISTA_EXCLUDED'
    END;
    IF v_gate IS NOT NULL THEN
        RETURN QUERY SELECT v_gate, NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at, NULL::jsonb, NULL::bigint,
                            NULL::bigint;
        RETURN;
    END IF;

    v_violations := jsonb_build_array(CASE
        WHEN v_ticket.status <> 'CANCELLED' THEN
            jsonb_build_object('code', 'TICKET_NOT_CANCELLED', 'status', v_ticket.status)
        WHEN v_sorteo.status IN ('CLOSED', 'EVALUATED') THEN
            jsonb_build_object('code', 'SORTEO_LOCKED', 'status', v_sorteo.status)
        WHEN v_at >= v_sorteo.scheduled_at THEN
            jsonb_build_object('code', 'DRAW_PASSED', 'scheduledAt', v_sorteo.scheduled_at, 'at', v_at)
        WHEN v_at >= v_sorteo.scheduled_at - make_interval(secs => p_cutoff_s - 1) THEN
            jsonb_build_object('code', 'SALES_CUTOFF_REACHED', 'scheduledAt', v_sorteo.scheduled_at,
                               'cutoffS', p_cutoff_s, 'at', v_at)
        WHEN c_restores_max <= (SELECT count(*) FROM ticket_restores r
                                 WHERE r.banca_id = p_banca AND r.business_date = v_ticket.business_date
                                   AND r.sorteo_id = v_ticket.sorteo_id AND r.sequence = v_ticket.sequence) THEN
            jsonb_build_object('code', 'TICKET_RESTORED_TOO_OFTEN', 'max', c_restores_max) END);
    IF v_violations = '[null]' AND p_broken IS NOT NULL THEN
        v_verdict := 'SOLD_OUT';
        v_violations := p_broken;
    ELSIF v_violations = '[null]' THEN
        PERFORM track_exposure(p_banca, k_sorteo, k_scope::exposure_scope[], k_scope_id, k_multiplier_key);
        PERFORM count_payouts(p_banca, u.id)
           FROM worst_payout(p_banca, ARRAY[v_ticket.sorteo_id]) w CROSS JOIN LATERAL unnest(w.uncounted) AS u (id);
        SELECT b.number_payout_max_cents INTO v_payout_max FROM bancas b WHERE b.id = p_banca;
        SELECT p.* INTO v_payouts
          FROM (SELECT array_agg(j.number) AS number, array_agg(j.type = 'REVENTADO') AS reventado,
                       array_agg(j.amount_cents) AS amount, array_agg(j.multiplier_x_hundredths) AS x,
                       array_agg(1) AS ticket
                  FROM jugadas j
                 WHERE j.banca_id = p_banca AND j.business_date = v_ticket.business_date
                   AND j.sorteo_id = v_ticket.sorteo_id AND j.sequence = v_ticket.sequence) j
         CROSS JOIN LATERAL payout_claims(p_banca, ARRAY[v_ticket.sorteo_id], ARRAY[v_sorteo.loteria_id], j.ticket,
                                          j.number, j.reventado, j.amount, j.x) p;
        SELECT j.verdicts[1], j.violations[1] INTO v_verdict, v_violations
          FROM judge_tight_sales(
                   p_banca, ARRAY[v_ticket.sorteo_id], ARRAY[v_ticket.vendedor_id], ARRAY[v_ticket.ventana_id],
                   ARRAY[v_ticket.total_cents], ARRAY[v_ticket.seller_credit_cents], ARRAY[v_sorteo.digits],
                   ARRAY[NULL::sale_verdict], ARRAY[NULL::jsonb], ARRAY[v_account.id], ARRAY[v_account.balance_cents],
                   ARRAY[v_account.credit_limit_cents], r_sorteo, r_scope, r_multiplier_key, r_cap, r_base,
                   r_basis_points, r_accumulates, r_code, r_label, l_rule, l_scope_id, l_number, f_ticket, f_limit,
                   f_amount, f_unbound, v_payouts.tickets, v_payouts.numbers, v_payouts.amounts, v_payouts.used,
                   v_payout_max) j;
    ELSE
        v_verdict := 'CLOSED';
    END IF;
    IF v_verdict IS NOT NULL THEN
        INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, violations, created_at)
        VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'REFUSED', v_violations, v_at);
        RETURN QUERY SELECT 'REFUSED', NULL::text, NULL::date, NULL::uuid, NULL::bigint, v_at, v_violations,
                            NULL::bigint, NULL::bigint;
        RETURN;
    END IF;

    v_event := nextval('outbox_id');
    UPDATE tickets t
       SET status = 'ACTIVE', cancelled_at = NULL, cancelled_by = NULL, restored_at = v_at, restored_by = p_actor
     WHERE t.banca_id = p_banca AND t.business_date = v_ticket.business_date
       AND t.sorteo_id = v_ticket.sorteo_id AND t.sequence = v_ticket.sequence
       AND t.vendedor_id = v_ticket.vendedor_id AND t.id = v_ticket.id;
    INSERT INTO ticket_restores (banca_id, business_date, sorteo_id, sequence, event_id, rulebook_version, restored_by,
                                 restored_by_role, restored_at)
    SELECT p_banca, v_ticket.business_date, v_ticket.sorteo_id, v_ticket.sequence, v_event, p_version, p_actor,
           CASE WHEN p_actor = v_ticket.vendedor_id THEN 'VENDEDOR' ELSE u.role END, v_at
      FROM users u WHERE u.id = p_actor;
    SELECT array_agg(j.line) INTO v_lines FROM jugadas j
     WHERE j.banca_id = p_banca AND j.business_date = v_ticket.business_date AND j.sorteo_id = v_ticket.sorteo_id
       AND j.sequence = v_ticket.sequence;
    SELECT m.balance_cents, m.balance_version INTO v_account.balance_cents, v_account.balance_version
      FROM move_jugadas(p_banca, v_ticket.business_date, v_ticket.sorteo_id,
                        array_fill(v_ticket.sequence, ARRAY[cardinality(v_lines)]), v_lines, true, v_event, v_at) m;

    INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, business_date, sorteo_id,
                             sequence, created_at)
    VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'RESTORED', v_ticket.business_date, v_ticket.sorteo_id,
            v_ticket.sequence, v_at);
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (v_event, p_banca, 'tickets.restored', json_build_object(
                'at', v_at, 'ticketId', v_ticket.id, 'sorteoId', v_ticket.sorteo_id, 'sequence', v_ticket.sequence,
                'vendedorId', v_ticket.vendedor_id, 'actorId', p_actor,
                'actorRole', (SELECT u.role FROM users u WHERE u.id = p_actor), 'terminalId', p_terminal,
                'totalCents', v_ticket.total_cents, 'rulebookVersion', p_version, 'key', p_key,
                'requestId', p_request), v_at);
    RETURN QUERY SELECT 'RESTORED', NULL::text, v_ticket.business_date, v_ticket.sorteo_id, v_ticket.sequence, v_at,
                        NULL::jsonb, v_account.balance_cents, v_account.balance_version;
END $$;

ALTER FUNCTION restore_ticket OWNER TO banca_definer;
REVOKE ALL ON FUNCTION restore_ticket FROM PUBLIC;
GRANT EXECUTE ON FUNCTION restore_ticket TO banca_api;
