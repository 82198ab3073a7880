-- What a cancel and a restore begin with: the ticket found and locked, whoever asks for it let in, and the key not known yet.
--
-- Takes   as cancel_ticket and restore_ticket do; p_sale_key: null but of a cancel by it. Keys are the actor's on any terminal
--         and the terminal's whoever is logged in there: a sale by its key may be another seller's, if p_terminal sold it.
-- Gives   outcome, recorded, sequence and the like: null, or what is answered and nothing done. Then, under the locks: the
--         ticket as it is now, all null when the sale with p_sale_key has not come; its draw, its account, the time.
-- Locks   the draw → the account, as every writer does; by a sale's key the ticket is looked up before.
DROP FUNCTION IF EXISTS claim_ticket;
CREATE FUNCTION claim_ticket(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer,
    p_key text, p_fingerprint bytea, p_ticket uuid, p_sold_from date, p_sale_key text,
    p_version bigint, p_valid_from timestamptz, p_valid_until timestamptz, p_at timestamptz,
    OUT outcome text, OUT recorded text, OUT business_date date, OUT sorteo_id uuid, OUT sequence bigint,
    OUT at timestamptz, OUT violations jsonb, OUT now_at timestamptz, OUT ticket tickets, OUT sorteo sorteos,
    OUT account accounts
)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_sale record;
    v_known record;
    v_gate text;
BEGIN
    SELECT (k.used).*, k.is_ambiguous INTO v_sale FROM find_key(p_banca, p_actor, p_terminal, p_sale_key) k;
    IF p_sale_key IS NOT NULL THEN
        IF v_sale.outcome = 'SOLD' AND NOT v_sale.is_ambiguous THEN
            SELECT * INTO ticket FROM find_ticket(p_banca, v_sale.business_date, v_sale.sorteo_id, v_sale.sequence);
        END IF;
    ELSE
        SELECT * INTO ticket FROM find_ticket_by_id(p_banca, p_ticket, p_sold_from);
    END IF;
    SELECT * INTO sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = ticket.sorteo_id FOR NO KEY UPDATE;
    SELECT * INTO account FROM accounts a
     WHERE a.banca_id = p_banca AND a.id = coalesce(ticket.vendedor_id, p_vendedor) FOR NO KEY UPDATE;

    now_at := date_trunc('milliseconds', clock_timestamp());
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        now_at := p_at;
    END IF;
    at := now_at;

    SELECT g.verdict INTO v_gate
      FROM actor_gate(p_banca, p_actor, coalesce(ticket.vendedor_id, p_vendedor), p_session, p_terminal,
                      p_key_version, now_at) g;
    -- The seller may have sold it elsewhere, before.
    IF v_gate IS NULL AND EXISTS (
        SELECT FROM users u WHERE u.id = p_actor AND u.role = 'VENTANA' AND u.ventana_id <> ticket.ventana_id) THEN
        v_gate := 'SELLER_NOT_OWN';
    END IF;
    SELECT (k.used).*, k.is_ambiguous INTO v_known FROM find_key(p_banca, p_actor, p_terminal, p_key) k;
    IF v_gate = 'SELLER_NOT_OWN'
       AND (v_sale.actor_id <> p_actor AND v_sale.terminal_id = p_terminal
            OR v_known.actor_id <> p_actor AND v_known.terminal_id = p_terminal) THEN
        -- This terminal sold it, or asked for this already, when another actor was logged in: it is the terminal's to ask
        -- again. The actor must be one who may act there.
        SELECT g.verdict INTO v_gate
          FROM actor_gate(p_banca, p_actor, p_actor, p_session, p_terminal, p_key_version, now_at) g;
    END IF;
    IF v_gate IS NOT NULL THEN
        -- Who may not see a ticket is not told that there is one.
        outcome := CASE v_gate WHEN 'SELLER_NOT_OWN' THEN 'TICKET_NOT_FOUND' ELSE v_gate END;
        RETURN;
    END IF;

    -- The sale's own key cannot name its cancel as well, whether the sale has come or not.
    IF v_known.key IS NOT NULL OR p_key = p_sale_key THEN
        outcome := CASE WHEN v_known.fingerprint = p_fingerprint AND NOT v_known.is_ambiguous THEN 'KNOWN'
                        ELSE 'MISMATCH' END;
        recorded := v_known.outcome;
        business_date := v_known.business_date;
        sorteo_id := v_known.sorteo_id;
        sequence := v_known.sequence;
        at := coalesce(v_known.created_at, now_at);
        violations := v_known.violations;
        RETURN;
    END IF;

    IF ticket.id IS NULL THEN
        outcome := CASE WHEN p_sale_key IS NULL THEN 'TICKET_NOT_FOUND' END;
        RETURN;
    END IF;
    IF p_version <> (SELECT b.rulebook_version FROM bancas b WHERE b.id = p_banca)
       OR ticket.vendedor_id IS DISTINCT FROM p_vendedor OR now_at < p_valid_from OR now_at >= p_valid_until THEN
        outcome := 'STALE';
        RETURN;
    END IF;
    -- Under the locks now: read again what may have changed while we waited.
    SELECT * INTO ticket FROM find_ticket(p_banca, ticket.business_date, ticket.sorteo_id, ticket.sequence);
END $$;
ALTER FUNCTION claim_ticket OWNER TO banca_definer;
REVOKE ALL ON FUNCTION claim_ticket FROM PUBLIC;
