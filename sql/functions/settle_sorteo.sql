-- The last step of what was asked of a draw's result: the draw moves on, and an event says so. Called by advance_evaluation
-- alone, which holds the draw's evaluation. Locks: the draw.

-- All prizes are paid: the draw is evaluated, its ledger closed.
DROP FUNCTION IF EXISTS settle_sorteo;
CREATE FUNCTION settle_sorteo(p_result sorteo_results) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_sorteo sorteos;
    v_at timestamptz;
    v_in bigint;
BEGIN
    PERFORM take_sorteo(p_result);
    SELECT * INTO STRICT v_sorteo FROM sorteos s
     WHERE s.banca_id = p_result.banca_id AND s.id = p_result.sorteo_id FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());
    -- The live stakes: the banca's counter of the draw's sales as a whole.
    SELECT coalesce(sum(e.amount_cents), 0) INTO v_in FROM exposure e
     WHERE e.banca_id = p_result.banca_id AND e.sorteo_id = p_result.sorteo_id AND e.scope_id = p_result.banca_id
       AND e.multiplier_key = '00000000-0000-0000-0000-000000000000' AND e.number = -1;

    PERFORM move_sorteo(p_result.banca_id, p_result.sorteo_id, 'EVALUATED', p_result.requested_by, NULL, v_at,
                        NULL, p_result.request_id);
    UPDATE sorteo_results r
       SET state = 'DONE', settled_at = v_at, progressed_at = v_at, total_in_cents = v_in,
           net_profit_cents = v_in - r.total_out_cents
     WHERE r.banca_id = p_result.banca_id AND r.sorteo_id = p_result.sorteo_id AND r.evaluation = p_result.evaluation;
    PERFORM ask_statements(p_result);
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (nextval('outbox_id'), p_result.banca_id, 'sorteos.evaluated', json_build_object(
                'at', v_at, 'sorteoId', p_result.sorteo_id, 'evaluation', p_result.evaluation,
                'winningNumber', lpad(p_result.winning_number::text, v_sorteo.digits, '0'),
                'extraOutcomeCode', p_result.extra_outcome_code, 'winningTickets', p_result.winning_tickets,
                'totalInCents', v_in, 'totalOutCents', p_result.total_out_cents,
                'netProfitCents', v_in - p_result.total_out_cents, 'actorId', p_result.requested_by,
                'requestId', p_result.request_id), v_at);
    RETURN 'DONE';
END $$;

-- All prizes are taken back: the draw is closed, and can be evaluated again.
DROP FUNCTION IF EXISTS reopen_result;
CREATE FUNCTION reopen_result(p_result sorteo_results) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_at timestamptz;
    v_status sorteo_status;
BEGIN
    SELECT s.status INTO STRICT v_status FROM sorteos s
     WHERE s.banca_id = p_result.banca_id AND s.id = p_result.sorteo_id FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());
    -- What failed before it was settled has left its draw closed.
    IF v_status = 'EVALUATED' THEN
        PERFORM move_sorteo(p_result.banca_id, p_result.sorteo_id, 'CLOSED', p_result.revert_requested_by,
                            p_result.revert_reason, v_at, NULL, p_result.revert_request_id);
    END IF;
    UPDATE sorteo_results r
       SET state = 'REVERTED', reverted_at = v_at, reverted_by = p_result.revert_requested_by, progressed_at = v_at
     WHERE r.banca_id = p_result.banca_id AND r.sorteo_id = p_result.sorteo_id AND r.evaluation = p_result.evaluation;
    PERFORM ask_statements(p_result);
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (nextval('outbox_id'), p_result.banca_id, 'sorteos.reverted', json_build_object(
                'at', v_at, 'sorteoId', p_result.sorteo_id, 'evaluation', p_result.evaluation,
                'winningTickets', p_result.winning_tickets, 'totalOutCents', p_result.total_out_cents,
                'actorId', p_result.revert_requested_by, 'requestId', p_result.revert_request_id), v_at);
    RETURN 'REVERTED';
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['settle_sorteo', 'reopen_result'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
