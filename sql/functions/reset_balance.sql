-- A seller's statement begins at 0 again, from an instant on; or does so no more. The account keeps what it has: a reset is
-- a line in the statement, not a payment.
--
-- Takes   p_reset_at: null to take the last one back. p_at: a test's time.
-- Gives   one row. DONE and KNOWN with answer, what is answered now and to the same key again; only DONE is recorded.
--         MISMATCH: the key is another request's. ENTITY_NOT_FOUND; FUTURE_DATE: the instant is still to come; DATE_TOO_OLD: it is more
--         than a year ago; STATEMENT_SETTLED: its day is closed; NOT_RESET: there is none to take back; ALREADY_RESET: a
--         later one stands, or one of this instant.
-- Locks   the seller's account, so that no ticket is sold meanwhile → its statements.
DROP FUNCTION IF EXISTS reset_balance;
CREATE FUNCTION reset_balance(
    p_banca uuid, p_actor uuid, p_key text, p_fingerprint bytea, p_vendedor uuid, p_reset_at timestamptz, p_request text,
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (outcome text, answer jsonb, settled_through date)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_today date := costa_rica_date(database_clock(p_at));
    v_day date := costa_rica_date(p_reset_at);
    v_now timestamptz;
    v_known idempotency;
    v_standing balance_resets;
    v_reset balance_resets;
    v_days date[];
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF ventana_of_entity(p_banca, 'VENDEDOR', p_vendedor) IS NULL THEN
        RETURN QUERY SELECT 'ENTITY_NOT_FOUND', NULL::jsonb, NULL::date;
        RETURN;
    END IF;
    PERFORM 1 FROM accounts a WHERE a.banca_id = p_banca AND a.id = p_vendedor FOR NO KEY UPDATE;
    PERFORM lock_statements(ARRAY[p_vendedor]);
    v_now := date_trunc('milliseconds', clock_timestamp());

    -- Under the locks: a second call with this key waited for the first.
    SELECT * INTO v_known FROM idempotency k
     WHERE k.banca_id = p_banca AND k.actor_id = p_actor AND k.key = p_key;
    SELECT * INTO v_standing FROM balance_resets z
     WHERE z.banca_id = p_banca AND z.vendedor_id = p_vendedor AND z.reverted_at IS NULL ORDER BY z.at DESC LIMIT 1;
    settled_through := closed_through(p_banca, 'VENDEDOR', p_vendedor);
    outcome := CASE
        WHEN v_known.key IS NOT NULL AND v_known.fingerprint <> p_fingerprint THEN 'MISMATCH'
        WHEN v_known.key IS NOT NULL THEN 'KNOWN'
        WHEN p_reset_at IS NULL AND v_standing.ordinal IS NULL THEN 'NOT_RESET'
        WHEN coalesce(v_day, v_standing.business_date) <= settled_through THEN 'STATEMENT_SETTLED'
        WHEN p_reset_at > database_clock(p_at) THEN 'FUTURE_DATE'
        WHEN v_day < v_today - 366 THEN 'DATE_TOO_OLD'
        WHEN p_reset_at <= v_standing.at THEN 'ALREADY_RESET'
        ELSE 'DONE' END;
    answer := v_known.answer;
    IF outcome <> 'DONE' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    IF p_reset_at IS NULL THEN
        UPDATE balance_resets z SET reverted_at = v_now, reverted_by = p_actor
         WHERE z.banca_id = p_banca AND z.vendedor_id = p_vendedor AND z.ordinal = v_standing.ordinal
        RETURNING * INTO v_reset;
    ELSE
        INSERT INTO balance_resets (banca_id, vendedor_id, ordinal, at, business_date, cut_days, created_at, created_by)
        SELECT p_banca, p_vendedor,
               (SELECT coalesce(max(z.ordinal), 0) + 1 FROM balance_resets z
                 WHERE z.banca_id = p_banca AND z.vendedor_id = p_vendedor),
               p_reset_at, v_day,
               (SELECT array_agg(d.day) FROM (
                    SELECT v_day AS day
                    UNION
                    SELECT t.business_date FROM tickets t
                     WHERE t.banca_id = p_banca AND t.vendedor_id = p_vendedor AND t.business_date >= v_day
                       AND t.created_at < p_reset_at) d),
               v_now, p_actor
        RETURNING * INTO v_reset;
    END IF;
    PERFORM write_activity(
        p_banca, 'BALANCE_RESET', p_actor, 'USER', p_vendedor,
        jsonb_build_object('balanceResetAt', v_standing.at),
        jsonb_build_object('balanceResetAt', CASE WHEN v_reset.reverted_at IS NULL THEN v_reset.at ELSE (
            SELECT max(z.at) FROM balance_resets z
             WHERE z.banca_id = p_banca AND z.vendedor_id = p_vendedor AND z.reverted_at IS NULL) END, 'key', p_key),
        'api', p_request);
    -- Its own day, the days with tickets from before, and those that follow: all that are there from its day on.
    SELECT array_agg(d.day) INTO v_days
      FROM (SELECT unnest(v_reset.cut_days) AS day
            UNION
            SELECT s.business_date FROM statements s
             WHERE s.banca_id = p_banca AND s.dimension = 'VENDEDOR' AND s.entity_id = p_vendedor
               AND s.business_date >= v_reset.business_date) d
     WHERE d.day <= v_today;
    PERFORM rewrite_statements(
        p_banca, array_fill('VENDEDOR'::statement_dimension, ARRAY[cardinality(v_days)]),
        array_fill(p_vendedor, ARRAY[cardinality(v_days)]), v_days, v_today, true);
    answer := jsonb_build_object(
        'vendedorId', p_vendedor, 'at', v_reset.at, 'revertedAt', v_reset.reverted_at,
        'statement', statement_of_day(p_banca, 'VENDEDOR', p_vendedor, v_reset.business_date));
    INSERT INTO idempotency (banca_id, actor_id, key, fingerprint, outcome, answer, created_at)
    VALUES (p_banca, p_actor, p_key, p_fingerprint, 'BALANCE_RESET', answer, v_now);
    RETURN NEXT;
END $$;
ALTER FUNCTION reset_balance OWNER TO banca_definer;
REVOKE ALL ON FUNCTION reset_balance FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reset_balance TO banca_api;
