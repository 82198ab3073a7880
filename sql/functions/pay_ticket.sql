-- Hand out a winner's prize, take the last payment back, or close it with what was paid: one call, one transaction. No
-- account moves: the prize was credited to the seller when the draw was evaluated. Cash stays on its ticket when the result is
-- corrected (sql/functions/cash_memos.sql): of the new prize only what is above it may be paid.
--
-- Takes   p_operation: PAY (p_amount, p_method, p_notes, p_final), REVERSE (p_notes: the reason) or FINALIZE (p_notes).
--         p_ticket: of a draw on p_sold_from or later.
-- Gives   one row. answer: what is answered, now and to the same key again. PAID, PAYMENT_REVERSED, PAYMENT_FINALIZED and
--         REFUSED are recorded under the key; the others are not.
-- Locks   the draw shared, so that its result stands as long as we look → the ticket.
-- Plans   are made once: they keep to the keys, whatever the statistics said then. A ticket that is known is named by every
--         key that it has, so that each index leads to it alone.
DROP FUNCTION IF EXISTS pay_ticket;
CREATE FUNCTION pay_ticket(
    p_banca uuid, p_actor uuid, p_session uuid, p_terminal uuid, p_key_version integer, p_key text,
    p_fingerprint bytea, p_ticket uuid, p_sold_from date, p_request text,
    p_operation text, p_amount bigint, p_method text, p_notes text, p_final boolean
) RETURNS TABLE (outcome text, recorded text, at timestamptz, violations jsonb, answer jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    -- Whoever pays one ticket and takes it back more often plays; all of a ticket's payments are read at once.
    c_payments_max CONSTANT integer := 1000;
    v_at timestamptz;
    v_gate text;
    v_ticket tickets;
    v_sorteo sorteos;
    v_known record;
    v_actor users;
    v_evaluation smallint;
    v_prize bigint;
    -- What the winner has, of all results; of these what was paid under earlier ones.
    v_paid bigint;
    v_earlier bigint;
    v_written_off bigint;
    v_payment ticket_payments;
    v_is_final boolean;
    v_outcome idempotency_outcome;
    v_violation jsonb;
    v_answer jsonb;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_ticket FROM find_ticket_by_id(p_banca, p_ticket, p_sold_from);
    SELECT * INTO v_sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = v_ticket.sorteo_id FOR SHARE;
    SELECT * INTO v_ticket FROM tickets t
     WHERE t.banca_id = p_banca AND t.business_date = v_ticket.business_date
       AND t.sorteo_id = v_ticket.sorteo_id AND t.sequence = v_ticket.sequence
       AND t.vendedor_id = v_ticket.vendedor_id AND t.id = v_ticket.id FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());

    SELECT u.* INTO v_actor FROM users u WHERE u.id = p_actor;
    -- A winner is paid even when its seller has left: only a seller who pays must be one still.
    SELECT g.verdict INTO v_gate
      FROM actor_gate(p_banca, p_actor, CASE v_actor.role WHEN 'VENDEDOR' THEN p_actor END, p_session, p_terminal,
                      p_key_version, v_at) g;
    v_gate := coalesce(v_gate, CASE
        WHEN v_actor.role = 'VENTANA' AND NOT EXISTS (
            SELECT FROM ventanas v WHERE v.banca_id = p_banca AND v.id = v_actor.ventana_id AND v.is_active)
            THEN 'VENTANA_INACTIVE'
        WHEN v_actor.role = 'VENTANA' AND NOT EXISTS (
            SELECT FROM terminals d
             WHERE d.banca_id = p_banca AND d.id = p_terminal AND d.ventana_id = v_actor.ventana_id)
            THEN 'TERMINAL_MISMATCH'
        -- Who may not see a ticket is not told that there is one.
        WHEN v_ticket.id IS NULL OR CASE v_actor.role
                 WHEN 'VENDEDOR' THEN v_ticket.vendedor_id <> p_actor
                 WHEN 'VENTANA' THEN v_ticket.ventana_id <> v_actor.ventana_id
                 ELSE false END
            THEN 'TICKET_NOT_FOUND' END);
    SELECT (k.used).*, k.is_ambiguous INTO v_known FROM find_key(p_banca, p_actor, p_terminal, p_key) k;
    -- But this terminal asked for it already, when another actor was logged in.
    IF v_gate IS NOT NULL AND (v_gate = 'TICKET_NOT_FOUND' AND v_known.actor_id <> p_actor) IS NOT TRUE THEN
        RETURN QUERY SELECT v_gate, NULL::text, v_at, NULL::jsonb, NULL::jsonb;
        RETURN;
    END IF;

    IF v_known.key IS NOT NULL THEN
        RETURN QUERY SELECT CASE WHEN v_known.fingerprint = p_fingerprint AND NOT v_known.is_ambiguous THEN 'KNOWN'
                                 ELSE 'MISMATCH' END,
                            v_known.outcome::text, v_known.created_at, v_known.violations, v_known.answer;
        RETURN;
    END IF;

    SELECT r.evaluation INTO v_evaluation FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = v_sorteo.id AND r.state = 'DONE';
    IF v_sorteo.status <> 'EVALUATED' OR v_evaluation IS NULL THEN
        RETURN QUERY SELECT 'SORTEO_NOT_EVALUATED', NULL::text, v_at, NULL::jsonb, NULL::jsonb;
        RETURN;
    END IF;
    SELECT coalesce(sum(z.amount_cents), 0) INTO v_prize FROM prizes z
     WHERE z.banca_id = p_banca AND z.business_date = v_ticket.business_date AND z.sorteo_id = v_sorteo.id
       AND z.sequence = v_ticket.sequence AND z.evaluation = v_evaluation;
    SELECT k.paid_cents, k.earlier_cents, k.is_waived INTO v_paid, v_earlier, v_is_final
      FROM ticket_cash(p_banca, v_ticket.business_date, v_sorteo.id, v_ticket.sequence, v_ticket.id, v_evaluation) k;
    -- null: it was paid under no result but this one.
    SELECT m.written_off_cents INTO v_written_off FROM cash_memos m
     WHERE m.banca_id = p_banca AND m.business_date = v_ticket.business_date AND m.ticket_id = v_ticket.id;
    -- The last one that stands; a new payment goes behind all there ever were.
    SELECT * INTO v_payment FROM ticket_payments p
     WHERE p.banca_id = p_banca AND p.business_date = v_ticket.business_date AND p.ticket_id = v_ticket.id
       AND p.reversed_at IS NULL
     ORDER BY p.ordinal DESC LIMIT 1;

    v_violation := CASE
        WHEN v_ticket.status = 'CANCELLED' THEN jsonb_build_object('code', 'TICKET_CANCELLED')
        WHEN v_ticket.status = 'EXCLUDED' THEN jsonb_build_object('code', 'TICKET_EXCLUDED')
        -- What is too much by the result that stands is a memo, which an administrator ends: neither the memo, nor what of
        -- the cash came back or was written off, may lose the payment that it rests on.
        WHEN p_operation = 'REVERSE' AND (
                 v_payment.evaluation <> v_evaluation AND v_paid > v_prize
                 OR v_paid - v_payment.amount_cents < 0
                 OR v_written_off > greatest(v_paid - v_payment.amount_cents - v_prize, 0)) THEN
            jsonb_build_object('code', 'PAID_UNDER_EARLIER_RESULT', 'prizeCents', v_prize, 'earlierCents', v_earlier)
        WHEN v_prize = 0 THEN jsonb_build_object('code', 'TICKET_NOT_WINNER')
        WHEN p_operation <> 'PAY' AND v_payment.ordinal IS NULL THEN jsonb_build_object('code', 'PAYMENT_NOT_FOUND')
        WHEN p_operation <> 'REVERSE' AND NOT v_is_final AND v_earlier >= v_prize THEN
            jsonb_build_object('code', 'PAID_UNDER_EARLIER_RESULT', 'prizeCents', v_prize, 'earlierCents', v_earlier)
        WHEN p_operation <> 'REVERSE' AND (v_is_final OR v_paid >= v_prize) THEN
            jsonb_build_object('code', 'ALREADY_PAID', 'prizeCents', v_prize, 'paidCents', v_paid)
        WHEN p_operation = 'PAY' AND v_paid + p_amount > v_prize THEN
            jsonb_build_object('code', 'PAYMENT_EXCEEDS_REMAINING', 'amountCents', p_amount,
                               'remainingCents', v_prize - v_paid)
            || CASE WHEN v_earlier > 0 THEN jsonb_build_object('earlierCents', v_earlier) ELSE '{}' END
        -- The rest is waived on the last payment, which may have been the last of an earlier prize.
        WHEN p_operation = 'FINALIZE' AND (v_payment.is_final OR v_payment.finalized_at IS NOT NULL) THEN
            jsonb_build_object('code', 'PAYMENT_NOT_FOUND')
        WHEN p_operation = 'PAY' AND c_payments_max <= (
             SELECT max(p.ordinal) FROM ticket_payments p
              WHERE p.banca_id = p_banca AND p.business_date = v_ticket.business_date AND p.ticket_id = v_ticket.id)
            THEN jsonb_build_object('code', 'TICKET_PAID_TOO_OFTEN', 'max', c_payments_max) END;
    IF v_violation IS NOT NULL THEN
        INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, violations, created_at)
        VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, 'REFUSED', jsonb_build_array(v_violation), v_at);
        RETURN QUERY SELECT 'REFUSED', NULL::text, v_at, jsonb_build_array(v_violation), NULL::jsonb;
        RETURN;
    END IF;

    CASE p_operation
        WHEN 'PAY' THEN
            v_outcome := 'PAID';
            INSERT INTO ticket_payments (
                banca_id, business_date, ticket_id, ordinal, sorteo_id, sequence, evaluation, amount_cents, method,
                notes, is_final, paid_by, paid_by_role, terminal_id, created_at)
            SELECT p_banca, v_ticket.business_date, v_ticket.id, coalesce(max(p.ordinal), 0) + 1, v_sorteo.id,
                   v_ticket.sequence, v_evaluation, p_amount, p_method::payment_method, p_notes, p_final, p_actor,
                   v_actor.role, p_terminal, v_at
              FROM ticket_payments p
             WHERE p.banca_id = p_banca AND p.business_date = v_ticket.business_date AND p.ticket_id = v_ticket.id
            RETURNING * INTO v_payment;
            v_paid := v_paid + p_amount;
            v_is_final := p_final;
        WHEN 'REVERSE' THEN
            v_outcome := 'PAYMENT_REVERSED';
            UPDATE ticket_payments p SET reversed_at = v_at, reversed_by = p_actor, reversed_reason = p_notes
             WHERE p.banca_id = p_banca AND p.business_date = v_ticket.business_date AND p.ticket_id = v_ticket.id
               AND p.ordinal = v_payment.ordinal
            RETURNING * INTO v_payment;
            v_paid := v_paid - v_payment.amount_cents;
            -- Nothing is paid after what closes a prize: only the last payment can have closed it.
            v_is_final := false;
        WHEN 'FINALIZE' THEN
            v_outcome := 'PAYMENT_FINALIZED';
            UPDATE ticket_payments p
               SET finalized_at = v_at, finalized_by = p_actor, finalized_notes = p_notes,
                   finalized_evaluation = v_evaluation
             WHERE p.banca_id = p_banca AND p.business_date = v_ticket.business_date AND p.ticket_id = v_ticket.id
               AND p.ordinal = v_payment.ordinal
            RETURNING * INTO v_payment;
            v_is_final := true;
    END CASE;
    IF v_written_off IS NOT NULL THEN
        PERFORM refresh_cash_memos(p_banca, v_sorteo.id, v_ticket.id);
    END IF;

    v_answer := jsonb_build_object(
        'ticketId', v_ticket.id, 'sorteoId', v_sorteo.id, 'businessDate', v_ticket.business_date,
        'dailyOrdinal', v_sorteo.daily_ordinal, 'sequence', v_ticket.sequence, 'prizeCents', v_prize,
        'paidCents', v_paid, 'isClosed', v_is_final OR v_paid >= v_prize,
        'payment', payment_facts(v_payment));
    INSERT INTO idempotency (banca_id, actor_id, terminal_id, key, fingerprint, outcome, business_date, sorteo_id,
                             sequence, answer, created_at)
    VALUES (p_banca, p_actor, p_terminal, p_key, p_fingerprint, v_outcome, v_ticket.business_date, v_sorteo.id, v_ticket.sequence,
            v_answer, v_at);
    PERFORM write_activity(
        p_banca, CASE p_operation WHEN 'PAY' THEN 'TICKET_PAY' WHEN 'REVERSE' THEN 'TICKET_PAYMENT_REVERSE'
                                  ELSE 'TICKET_PAY_FINALIZE' END,
        p_actor, 'TICKET', v_ticket.id, NULL,
        v_answer - '{ticketId,businessDate,dailyOrdinal}'::text[]
            || jsonb_build_object('evaluation', v_evaluation, 'actorRole', v_actor.role, 'terminalId', p_terminal,
                                  'vendedorId', v_ticket.vendedor_id, 'key', p_key), 'api', p_request);
    RETURN QUERY SELECT v_outcome::text, NULL::text, v_at, NULL::jsonb, v_answer;
END $$;
ALTER FUNCTION pay_ticket OWNER TO banca_definer;
REVOKE ALL ON FUNCTION pay_ticket FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pay_ticket TO banca_api;

-- A payment as answers, readings and the trail tell it.
CREATE OR REPLACE FUNCTION payment_facts(p ticket_payments) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'ordinal', p.ordinal, 'amountCents', p.amount_cents, 'method', p.method, 'notes', p.notes,
        'isFinal', p.is_final OR p.finalized_at IS NOT NULL, 'at', p.created_at, 'by', p.paid_by, 'byRole', p.paid_by_role,
        'finalizedAt', p.finalized_at, 'finalizedBy', p.finalized_by, 'finalizedNotes', p.finalized_notes,
        'reversedAt', p.reversed_at, 'reversedBy', p.reversed_by, 'reversedReason', p.reversed_reason)
$$;
REVOKE ALL ON FUNCTION payment_facts FROM PUBLIC;
ALTER FUNCTION payment_facts OWNER TO banca_definer;
GRANT EXECUTE ON FUNCTION payment_facts TO banca_api;
