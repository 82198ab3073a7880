-- Cash that winners were paid, over corrections of their draw's result: what of it counts for the result that stands, what
-- is too much, and how that ends. The rule once: cash stays on its ticket; what is above the prize that stands, and neither
-- came back nor was written off, is the ticket's memo. A memo moves no account: the revert took the prize back already.

-- What a ticket's winner has of the prizes of all results, and whether the rest of the prize of p_evaluation was waived. One
-- row. Built into the statements that call it; named by every key that a ticket has, so that each index leads to it alone.
DROP FUNCTION IF EXISTS ticket_cash;
CREATE FUNCTION ticket_cash(
    p_banca uuid, p_day date, p_sorteo uuid, p_sequence bigint, p_ticket uuid, p_evaluation smallint
) RETURNS TABLE (paid_cents bigint, earlier_cents bigint, is_waived boolean)
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(sum(p.amount_cents), 0)::bigint - r.cents,
           coalesce(sum(p.amount_cents) FILTER (WHERE p.evaluation <> p_evaluation), 0)::bigint - r.cents,
           coalesce(bool_or(p.is_final AND p.evaluation = p_evaluation
                            OR p.finalized_at IS NOT NULL
                               AND coalesce(p.finalized_evaluation, p.evaluation) = p_evaluation), false)
      FROM (SELECT coalesce((SELECT m.returned_cents FROM cash_memos m
                              WHERE m.banca_id = p_banca AND m.business_date = p_day AND m.ticket_id = p_ticket), 0)
                   AS cents) r
      LEFT JOIN ticket_payments p ON p.banca_id = p_banca AND p.business_date = p_day AND p.ticket_id = p_ticket
           AND p.sorteo_id = p_sorteo AND p.sequence = p_sequence AND p.reversed_at IS NULL
     GROUP BY r.cents
$$;

-- Computes the memos of a draw, or of one ticket of it, anew: of the tickets that were paid under a result that does not
-- stand, and of those that have a memo. The caller holds the draw, or its evaluation, or the ticket.
DROP FUNCTION IF EXISTS refresh_cash_memos;
CREATE FUNCTION refresh_cash_memos(p_banca uuid, p_sorteo uuid, p_ticket uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_day date;
    v_evaluation smallint;
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
    SELECT s.business_date INTO STRICT v_day FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo;
    SELECT r.evaluation INTO v_evaluation FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('DONE', 'REVERTING');
    INSERT INTO cash_memos AS m (
        banca_id, business_date, ticket_id, sorteo_id, sequence, vendedor_id, ventana_id, cash_cents, returned_cents,
        prize_cents, written_off_cents, created_at, updated_at)
    SELECT p_banca, v_day, t.id, p_sorteo, t.sequence, t.vendedor_id, t.ventana_id, k.cash, e.returned, z.prize,
           e.written_off, v_at, v_at
      FROM (SELECT p.sequence FROM ticket_payments p
             WHERE p.banca_id = p_banca AND p.business_date = v_day AND p.sorteo_id = p_sorteo
               AND (p_ticket IS NULL OR p.ticket_id = p_ticket)
               AND p.reversed_at IS NULL AND p.evaluation IS DISTINCT FROM v_evaluation
            UNION
            SELECT m.sequence FROM cash_memos m
             WHERE m.banca_id = p_banca AND m.sorteo_id = p_sorteo AND (p_ticket IS NULL OR m.ticket_id = p_ticket)) w
     CROSS JOIN LATERAL find_ticket(p_banca, v_day, p_sorteo, w.sequence) t
     CROSS JOIN LATERAL (
          SELECT coalesce(sum(p.amount_cents), 0)::bigint AS cash FROM ticket_payments p
           WHERE p.banca_id = p_banca AND p.business_date = v_day AND p.sorteo_id = p_sorteo
             AND p.sequence = t.sequence AND p.ticket_id = t.id AND p.reversed_at IS NULL) k
     CROSS JOIN LATERAL (
          SELECT coalesce(sum(z.amount_cents), 0)::bigint AS prize FROM prizes z
           WHERE z.banca_id = p_banca AND z.business_date = v_day AND z.sorteo_id = p_sorteo
             AND z.sequence = t.sequence AND z.evaluation = v_evaluation) z
     CROSS JOIN LATERAL (
          SELECT coalesce(sum(e.amount_cents) FILTER (WHERE e.kind = 'SETTLEMENT'), 0)::bigint AS returned,
                 coalesce(sum(e.amount_cents) FILTER (WHERE e.kind = 'WRITE_OFF'), 0)::bigint AS written_off
            FROM cash_memo_entries e
           WHERE e.banca_id = p_banca AND e.ticket_id = t.id AND e.reversed_at IS NULL) e
     ORDER BY t.id
    ON CONFLICT (banca_id, business_date, ticket_id) DO UPDATE
       SET (cash_cents, returned_cents, prize_cents, written_off_cents, updated_at)
         = (excluded.cash_cents, excluded.returned_cents, excluded.prize_cents, excluded.written_off_cents,
            excluded.updated_at)
     WHERE (m.cash_cents, m.returned_cents, m.prize_cents, m.written_off_cents)
           IS DISTINCT FROM
           (excluded.cash_cents, excluded.returned_cents, excluded.prize_cents, excluded.written_off_cents);
END $$;

-- The write-offs that stand under a result that was taken back, the other way; called by advance_evaluation with its last
-- step. What is still too much under the next result is a memo again.
-- Gives   of each seller what is debited, below zero.
DROP FUNCTION IF EXISTS reverse_write_offs;
CREATE FUNCTION reverse_write_offs(
    p_result sorteo_results, OUT sellers uuid[], OUT amounts_cents bigint[]
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_prizes uuid;
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
    SELECT a.id INTO STRICT v_prizes FROM accounts a WHERE a.banca_id = p_result.banca_id AND a.kind = 'PRIZES';
    WITH back AS (
        UPDATE cash_memo_entries e SET reversed_at = v_at, reversed_event_id = p_result.revert_event_id
         WHERE e.banca_id = p_result.banca_id AND e.sorteo_id = p_result.sorteo_id AND e.posted_on IS NOT NULL
           AND e.evaluation = p_result.evaluation AND e.reversed_at IS NULL
        RETURNING e.*
    ), posted AS (
        INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, debit_account_id, credit_account_id,
                               amount_cents, created_at)
        SELECT b.banca_id, b.posted_on, b.id, p_result.revert_event_id, 'WRITE_OFF_REVERSAL', b.vendedor_id, v_prizes,
               b.amount_cents, v_at
          FROM back b
    ), asked AS (
        INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
        SELECT DISTINCT b.banca_id, e.dimension, e.entity_id, b.posted_on
          FROM back b
         CROSS JOIN LATERAL (VALUES ('VENDEDOR'::statement_dimension, b.vendedor_id), ('VENTANA', b.ventana_id),
                                    ('BANCA', b.banca_id)) AS e (dimension, entity_id)
    )
    SELECT array_agg(b.vendedor_id), array_agg(-b.amount_cents) INTO sellers, amounts_cents
      FROM (SELECT b.vendedor_id, sum(b.amount_cents)::bigint AS amount_cents FROM back b GROUP BY b.vendedor_id) b;
END $$;

-- Ends a ticket's memo, or a part of it: cash came back (SETTLEMENT, which moves no account), or the banca bears it
-- (WRITE_OFF: a transfer prizes → seller, on today's statements). One call, one transaction.
--
-- Takes   p_amount: null for all that is open. p_at: a test's time.
-- Gives   one row. SETTLED, WRITTEN_OFF and KNOWN with answer, what is answered now and to the same key again; only the
--         first two are recorded. MISMATCH: the key is another request's. MEMO_NOT_FOUND; MEMO_CLOSED: nothing is open;
--         MEMO_EXCEEDED: less is open (open_cents); EVALUATION_RUNNING, EVALUATION_REVERTING: prizes are being moved;
--         SORTEO_NOT_EVALUATED: a write-off while no result stands. account_id, balance_cents, balance_version: of a
--         write-off the seller's, as it stands now.
-- Locks   the draw shared, so that its result stands → the seller's account → its statements → the ticket.
DROP FUNCTION IF EXISTS end_cash_memo;
CREATE FUNCTION end_cash_memo(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_id uuid, p_ticket uuid, p_kind text, p_amount bigint,
    p_reason text, p_request text, p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    outcome text, answer jsonb, open_cents bigint, account_id uuid, balance_cents bigint, balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_kind cash_memo_entry_kind := p_kind;
    v_actor users;
    v_memo cash_memos;
    v_known idempotency;
    v_result sorteo_results;
    v_entry cash_memo_entries;
    v_today date := costa_rica_date(database_clock(p_at));
    v_at timestamptz;
    v_amount bigint;
    v_before jsonb;
    v_event bigint;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_actor FROM users u WHERE u.id = p_actor;
    SELECT * INTO v_memo FROM cash_memos m WHERE m.banca_id = p_banca AND m.ticket_id = p_ticket;
    IF v_memo.ticket_id IS NULL OR NOT moves_for(v_actor, p_banca, 'BANCA', p_banca, NULL) THEN
        outcome := 'MEMO_NOT_FOUND';
        RETURN NEXT;
        RETURN;
    END IF;
    PERFORM 1 FROM sorteos s WHERE s.banca_id = p_banca AND s.id = v_memo.sorteo_id FOR SHARE;
    PERFORM 1 FROM accounts a WHERE a.banca_id = p_banca AND a.id = v_memo.vendedor_id FOR NO KEY UPDATE;
    PERFORM lock_statements(ARRAY[v_memo.vendedor_id]);
    PERFORM 1 FROM tickets t
      WHERE t.banca_id = p_banca AND t.business_date = v_memo.business_date AND t.sorteo_id = v_memo.sorteo_id
        AND t.sequence = v_memo.sequence AND t.id = v_memo.ticket_id FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());

    -- Under the locks: a second call with this key waited for the first.
    SELECT * INTO v_known FROM idempotency k
     WHERE k.banca_id = p_banca AND k.actor_id = p_actor AND k.key = p_key;
    SELECT * INTO v_memo FROM cash_memos m WHERE m.banca_id = p_banca AND m.ticket_id = p_ticket;
    SELECT * INTO v_result FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = v_memo.sorteo_id AND r.state <> 'REVERTED';
    open_cents := v_memo.open_cents;
    v_amount := coalesce(p_amount, v_memo.open_cents);
    outcome := CASE
        WHEN v_known.key IS NOT NULL AND v_known.fingerprint <> p_fingerprint THEN 'MISMATCH'
        WHEN v_known.key IS NOT NULL THEN 'KNOWN'
        WHEN v_result.state IN ('RUNNING', 'REVERTING') THEN 'EVALUATION_' || v_result.state
        WHEN v_memo.open_cents = 0 THEN 'MEMO_CLOSED'
        WHEN v_amount > v_memo.open_cents THEN 'MEMO_EXCEEDED'
        WHEN v_kind = 'WRITE_OFF' AND v_result.state IS NULL THEN 'SORTEO_NOT_EVALUATED'
        WHEN v_kind = 'WRITE_OFF' THEN 'WRITTEN_OFF'
        ELSE 'SETTLED' END;
    answer := v_known.answer;
    IF outcome NOT IN ('SETTLED', 'WRITTEN_OFF') THEN
        RETURN NEXT;
        RETURN;
    END IF;

    v_before := cash_memo_facts(v_memo);
    INSERT INTO cash_memo_entries (
        banca_id, id, business_date, ticket_id, kind, amount_cents, reason, sorteo_id, vendedor_id, ventana_id, evaluation,
        posted_on, created_by, created_by_role, created_by_name, created_at)
    VALUES (p_banca, p_id, v_memo.business_date, v_memo.ticket_id, v_kind, v_amount, p_reason, v_memo.sorteo_id,
            v_memo.vendedor_id, v_memo.ventana_id, CASE v_kind WHEN 'WRITE_OFF' THEN v_result.evaluation END,
            CASE v_kind WHEN 'WRITE_OFF' THEN v_today END, p_actor, v_actor.role,
            coalesce(nullif(v_actor.name, ''), v_actor.username), v_at)
    RETURNING * INTO v_entry;
    PERFORM refresh_cash_memos(p_banca, v_memo.sorteo_id, v_memo.ticket_id);
    SELECT * INTO v_memo FROM cash_memos m WHERE m.banca_id = p_banca AND m.ticket_id = p_ticket;
    open_cents := v_memo.open_cents;
    v_event := write_activity(
        p_banca, CASE v_kind WHEN 'WRITE_OFF' THEN 'CASH_MEMO_WRITE_OFF' ELSE 'CASH_MEMO_SETTLE' END, p_actor, 'TICKET',
        p_ticket, v_before - '{payments,entries}'::text[],
        cash_memo_facts(v_memo) - '{payments,entries}'::text[]
            || jsonb_build_object('entry', cash_memo_entry_facts(v_entry), 'key', p_key), 'api', p_request);
    IF v_kind = 'WRITE_OFF' THEN
        SELECT m.account_id, m.balance_cents, m.balance_version INTO account_id, balance_cents, balance_version
          FROM post_write_off(v_entry, v_event, v_today) m;
    END IF;
    answer := jsonb_build_object(
        'memo', cash_memo_facts(v_memo), 'entry', cash_memo_entry_facts(v_entry),
        'statement', CASE v_kind WHEN 'WRITE_OFF' THEN
            statement_of_day(p_banca, 'VENDEDOR', v_memo.vendedor_id, v_today) END);
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, ('CASH_MEMO_' || outcome)::idempotency_outcome, answer, v_at);
    RETURN NEXT;
END $$;

-- The transfer of a write-off, the seller's balance and statement; the ventana's and the banca's are asked for.
DROP FUNCTION IF EXISTS post_write_off;
CREATE FUNCTION post_write_off(
    p_entry cash_memo_entries, p_event bigint, p_today date, OUT account_id uuid, OUT balance_cents bigint, OUT balance_version bigint
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_prizes uuid;
BEGIN
    SELECT a.id INTO STRICT v_prizes FROM accounts a WHERE a.banca_id = p_entry.banca_id AND a.kind = 'PRIZES';
    PERFORM ensure_partitions(p_entry.posted_on);
    INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, debit_account_id, credit_account_id,
                           amount_cents, created_at)
    VALUES (p_entry.banca_id, p_entry.posted_on, p_entry.id, p_event, 'WRITE_OFF', v_prizes,
            p_entry.vendedor_id, p_entry.amount_cents, p_entry.created_at);
    SELECT m.ids[1], m.balances[1], m.versions[1] INTO account_id, balance_cents, balance_version
      FROM move_sellers(p_entry.banca_id, ARRAY[p_entry.vendedor_id], ARRAY[p_entry.amount_cents]) m;
    PERFORM rewrite_statements(p_entry.banca_id, ARRAY['VENDEDOR'::statement_dimension], ARRAY[p_entry.vendedor_id],
                               ARRAY[p_entry.posted_on], p_today, true);
    INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
    VALUES (p_entry.banca_id, 'VENTANA', p_entry.ventana_id, p_entry.posted_on),
           (p_entry.banca_id, 'BANCA', p_entry.banca_id, p_entry.posted_on);
END $$;

-- The write-offs that stand, on days of entities: a prize that the bank pays, on the day that it was written off, of the
-- seller, its ventana and the banca. Parallel arrays; a row for each that has any. cut_cents: what of it a reset of the
-- seller's statement on that day left out.
DROP FUNCTION IF EXISTS written_off;
CREATE FUNCTION written_off(p_banca uuid, p_dimensions statement_dimension[], p_entities uuid[], p_days date[])
RETURNS TABLE (dimension statement_dimension, entity_id uuid, business_date date, cents bigint, cut_cents bigint)
LANGUAGE sql STABLE
AS $$
    SELECT a.dimension, a.entity_id, a.business_date, sum(e.amount_cents)::bigint,
           coalesce(sum(e.amount_cents) FILTER (WHERE a.dimension = 'VENDEDOR' AND EXISTS (
               SELECT FROM balance_resets z
                WHERE z.banca_id = p_banca AND z.vendedor_id = a.entity_id AND z.business_date = a.business_date
                  AND z.reverted_at IS NULL AND e.created_at < z.at)), 0)::bigint
      FROM unnest(p_dimensions, p_entities, p_days) AS a (dimension, entity_id, business_date)
      JOIN cash_memo_entries e ON e.banca_id = p_banca AND e.posted_on = a.business_date AND e.reversed_at IS NULL
           AND CASE a.dimension WHEN 'VENDEDOR' THEN e.vendedor_id WHEN 'VENTANA' THEN e.ventana_id
                                ELSE e.banca_id END = a.entity_id
     GROUP BY a.dimension, a.entity_id, a.business_date
$$;

-- An entry as answers, readings and the trail tell it.
CREATE OR REPLACE FUNCTION cash_memo_entry_facts(e cash_memo_entries) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'id', e.id, 'kind', e.kind, 'amountCents', e.amount_cents, 'reason', e.reason, 'postedOn', e.posted_on,
        'by', e.created_by, 'byRole', e.created_by_role, 'byName', e.created_by_name, 'at', e.created_at,
        'reversedAt', e.reversed_at)
$$;

-- A memo as answers and readings tell it, with who paid the cash out, and how far it has ended. As the definer: who paid may
-- be a user of no banca, or of another one too.
CREATE OR REPLACE FUNCTION cash_memo_facts(m cash_memos) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN (SELECT jsonb_build_object(
        'ticketId', m.ticket_id, 'sorteoId', m.sorteo_id, 'businessDate', m.business_date, 'sequence', m.sequence,
        'dailyOrdinal', s.daily_ordinal, 'sorteoName', s.name, 'vendedorId', m.vendedor_id, 'vendedorName', u.name,
        'ventanaId', m.ventana_id, 'cashCents', m.cash_cents, 'returnedCents', m.returned_cents,
        'prizeCents', m.prize_cents, 'writtenOffCents', m.written_off_cents, 'openCents', m.open_cents,
        'at', m.created_at,
        'payments', coalesce((
            SELECT jsonb_agg(payment_facts(p) || jsonb_build_object(
                       'evaluation', p.evaluation, 'byName', coalesce(nullif(y.name, ''), y.username)) ORDER BY p.ordinal)
              FROM ticket_payments p
              LEFT JOIN users y ON y.id = p.paid_by
             WHERE p.banca_id = m.banca_id AND p.business_date = m.business_date AND p.ticket_id = m.ticket_id
               AND p.sorteo_id = m.sorteo_id AND p.sequence = m.sequence AND p.reversed_at IS NULL), '[]'),
        'entries', coalesce((
            SELECT jsonb_agg(cash_memo_entry_facts(e) ORDER BY e.created_at, e.id) FROM cash_memo_entries e
             WHERE e.banca_id = m.banca_id AND e.ticket_id = m.ticket_id), '[]'))
      FROM sorteos s
      LEFT JOIN users u ON u.id = m.vendedor_id
     WHERE s.banca_id = m.banca_id AND s.id = m.sorteo_id);
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['ticket_cash', 'refresh_cash_memos', 'reverse_write_offs', 'end_cash_memo',
                                         'post_write_off', 'written_off', 'cash_memo_entry_facts', 'cash_memo_facts'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION end_cash_memo, ticket_cash, cash_memo_entry_facts, cash_memo_facts TO banca_api;
