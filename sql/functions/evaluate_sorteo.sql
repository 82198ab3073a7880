-- What people ask of a draw's result: evaluate it, take the evaluation back, try again what failed. All only write down
-- what is to be done, and an event; workers do it (sql/functions/advance_evaluation.sql). Locks: the draw → its result.

-- Takes   f_*: from which states a draw is evaluated (core/domain/sorteo_states.py has the table); parallel arrays.
--         p_number: the winning number as it was typed; p_multiplier: what REVENTADO pays, null: it loses; p_outcome:
--         the name of that outcome, null: the multiplier's.
-- Gives   one row. REQUESTED, or what speaks against it, in order of precedence; nothing is written then.
DROP FUNCTION IF EXISTS request_evaluation;
CREATE FUNCTION request_evaluation(
    p_banca uuid, p_sorteo uuid, f_status sorteo_status[], f_active boolean[], p_number text, p_multiplier uuid,
    p_outcome text, p_actor uuid, p_request text, p_at timestamptz DEFAULT NULL
) RETURNS TABLE (outcome text, evaluation smallint, status text, digits smallint, scheduled_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_sorteo sorteos;
    v_standing sorteo_results;
    v_multiplier loteria_multipliers;
    v_at timestamptz;
    v_event bigint;
    v_outcome text;
    v_evaluation smallint;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        v_at := p_at;
    END IF;
    SELECT * INTO v_standing FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state <> 'REVERTED';
    SELECT * INTO v_multiplier FROM loteria_multipliers m WHERE m.banca_id = p_banca AND m.id = p_multiplier;

    v_outcome := CASE
        WHEN v_sorteo.id IS NULL THEN 'SORTEO_NOT_FOUND'
        WHEN v_standing.failed_at IS NOT NULL THEN 'EVALUATION_FAILED'
        WHEN v_standing.state = 'RUNNING' THEN 'EVALUATION_RUNNING'
        WHEN v_standing.state = 'REVERTING' THEN 'EVALUATION_REVERTING'
        WHEN v_sorteo.status = 'EVALUATED' THEN 'SORTEO_ALREADY_EVALUATED'
        WHEN NOT EXISTS (SELECT FROM unnest(f_status, f_active) AS f (status, is_active)
                          WHERE f.status = v_sorteo.status AND f.is_active = v_sorteo.is_active)
            THEN 'SORTEO_NOT_CLOSED'
        WHEN v_at < v_sorteo.scheduled_at THEN 'SORTEO_NOT_DRAWN'
        WHEN p_number !~ '^[0-9]{1,3}$' THEN 'NUMBER_INVALID'
        WHEN length(p_number) <> v_sorteo.digits THEN 'NUMBER_WIDTH_INVALID'
        WHEN p_multiplier IS NULL AND p_outcome IS NOT NULL THEN 'EXTRA_MULTIPLIER_REQUIRED'
        WHEN p_multiplier IS NULL THEN 'REQUESTED'
        WHEN v_multiplier.id IS NULL THEN 'INVALID_MULTIPLIER'
        WHEN v_multiplier.loteria_id <> v_sorteo.loteria_id THEN 'INVALID_MULTIPLIER_LOTERIA'
        WHEN v_multiplier.kind <> 'REVENTADO' THEN 'INVALID_MULTIPLIER_KIND'
        WHEN NOT v_multiplier.is_active OR v_multiplier.applies_to_date <> v_sorteo.business_date
            THEN 'INACTIVE_MULTIPLIER'
        ELSE 'REQUESTED' END;

    IF v_outcome = 'REQUESTED' THEN
        v_event := nextval('outbox_id');
        INSERT INTO sorteo_results (
            banca_id, sorteo_id, evaluation, winning_number, extra_multiplier_id, extra_x_hundredths,
            extra_outcome_code, last_sequence, progressed_at, event_id, requested_by, requested_at, request_id)
        SELECT p_banca, p_sorteo, coalesce(max(r.evaluation), 0) + 1, p_number::smallint, v_multiplier.id,
               v_multiplier.value_x_hundredths, coalesce(p_outcome, v_multiplier.name), v_sorteo.last_sequence, v_at,
               v_event, p_actor, v_at, p_request
          FROM sorteo_results r WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo
        RETURNING sorteo_results.evaluation INTO v_evaluation;
        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        VALUES (v_event, p_banca, 'sorteos.evaluation_requested', json_build_object(
                    'at', v_at, 'sorteoId', p_sorteo, 'evaluation', v_evaluation, 'winningNumber', p_number,
                    'extraMultiplierId', v_multiplier.id, 'extraXHundredths', v_multiplier.value_x_hundredths,
                    'extraOutcomeCode', coalesce(p_outcome, v_multiplier.name), 'actorId', p_actor,
                    'requestId', p_request), v_at);
    END IF;
    RETURN QUERY SELECT v_outcome, v_evaluation, v_sorteo.status::text, v_sorteo.digits, v_sorteo.scheduled_at;
END $$;

-- Takes   f_*: as above; what failed while its prizes were paid is taken back from there. p_force: also when prizes were
--         handed out. The cash stays on the tickets (sql/functions/cash_memos.sql).
-- Gives   one row. REQUESTED, or what speaks against it; nothing is written then. PAYMENTS_STAND with what was paid.
DROP FUNCTION IF EXISTS request_revert;
CREATE FUNCTION request_revert(
    p_banca uuid, p_sorteo uuid, f_status sorteo_status[], f_active boolean[], p_reason text, p_force boolean,
    p_actor uuid, p_request text
) RETURNS TABLE (outcome text, evaluation smallint, payments bigint, paid_cents bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_sorteo sorteos;
    v_standing sorteo_results;
    v_at timestamptz;
    v_event bigint;
    v_outcome text;
    v_payments bigint := 0;
    v_paid bigint := 0;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;
    v_at := date_trunc('milliseconds', clock_timestamp());
    SELECT * INTO v_standing FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state <> 'REVERTED';

    v_outcome := CASE
        WHEN v_sorteo.id IS NULL THEN 'SORTEO_NOT_FOUND'
        WHEN v_standing.state = 'RUNNING' AND v_standing.failed_at IS NOT NULL THEN 'REQUESTED'
        WHEN v_standing.failed_at IS NOT NULL THEN 'EVALUATION_FAILED'
        WHEN v_standing.state = 'RUNNING' THEN 'EVALUATION_RUNNING'
        WHEN v_standing.state = 'REVERTING' THEN 'EVALUATION_REVERTING'
        WHEN v_standing.state IS NULL
          OR NOT EXISTS (SELECT FROM unnest(f_status, f_active) AS f (status, is_active)
                          WHERE f.status = v_sorteo.status AND f.is_active = v_sorteo.is_active)
            THEN 'SORTEO_NOT_EVALUATED'
        ELSE 'REQUESTED' END;
    IF v_outcome = 'REQUESTED' THEN
        -- Whoever pays holds the draw's row shared: from here on nothing more is paid. Cash of an earlier result counts where
        -- it is a prize of this one, too.
        SELECT count(*), coalesce(sum(p.amount_cents), 0) INTO v_payments, v_paid
          FROM ticket_payments p
         WHERE p.banca_id = p_banca AND p.business_date = v_sorteo.business_date AND p.sorteo_id = p_sorteo
           AND p.reversed_at IS NULL
           AND EXISTS (SELECT FROM prizes z
                        WHERE z.banca_id = p_banca AND z.business_date = v_sorteo.business_date
                          AND z.sorteo_id = p_sorteo AND z.sequence = p.sequence
                          AND z.evaluation = v_standing.evaluation);
        IF v_payments > 0 AND NOT p_force THEN
            v_outcome := 'PAYMENTS_STAND';
        END IF;
    END IF;

    IF v_outcome = 'REQUESTED' THEN
        v_event := nextval('outbox_id');
        UPDATE sorteo_results r
           SET state = 'REVERTING', next_sequence = 1, progressed_at = v_at, revert_event_id = v_event,
               revert_requested_by = p_actor, revert_requested_at = v_at, revert_request_id = p_request,
               revert_reason = p_reason, revert_forced = v_payments > 0, failed_at = NULL, failure = NULL
         WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.evaluation = v_standing.evaluation;
        -- What was never paid is not taken back.
        UPDATE evaluation_failures f SET resolved_at = v_at, is_due = false
         WHERE f.banca_id = p_banca AND f.sorteo_id = p_sorteo AND f.evaluation = v_standing.evaluation
           AND f.resolved_at IS NULL;
        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        VALUES (v_event, p_banca, 'sorteos.revert_requested', json_build_object(
                    'at', v_at, 'sorteoId', p_sorteo, 'evaluation', v_standing.evaluation, 'reason', p_reason,
                    'paymentsReversed', 0, 'paymentsStanding', v_payments, 'paidCents', v_paid, 'actorId', p_actor,
                    'requestId', p_request), v_at);
    END IF;
    RETURN QUERY SELECT v_outcome, v_standing.evaluation, v_payments, v_paid;
END $$;

-- Try again what failed, from where it stands: first the tickets that were set aside, then the rest.
-- Gives   REQUESTED, or what speaks against it; nothing is written then.
DROP FUNCTION IF EXISTS retry_evaluation;
CREATE FUNCTION retry_evaluation(p_banca uuid, p_sorteo uuid, p_actor uuid, p_request text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    v_sorteo sorteos;
    v_standing sorteo_results;
    v_at timestamptz;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    SELECT * INTO v_sorteo FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo FOR NO KEY UPDATE;
    IF v_sorteo.id IS NULL THEN
        RETURN 'SORTEO_NOT_FOUND';
    END IF;
    v_at := date_trunc('milliseconds', clock_timestamp());
    SELECT * INTO v_standing FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.failed_at IS NOT NULL;
    IF v_standing.banca_id IS NULL THEN
        RETURN 'EVALUATION_NOT_FAILED';
    END IF;
    UPDATE sorteo_results r SET failed_at = NULL, failure = NULL, progressed_at = v_at
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.evaluation = v_standing.evaluation;
    UPDATE evaluation_failures f SET is_due = true
     WHERE f.banca_id = p_banca AND f.sorteo_id = p_sorteo AND f.evaluation = v_standing.evaluation
       AND f.state = v_standing.state AND f.resolved_at IS NULL;
    PERFORM write_activity(p_banca, 'SORTEO_EVALUATION_RETRY', p_actor, 'SORTEO', p_sorteo, NULL,
                           jsonb_build_object('evaluation', v_standing.evaluation, 'state', v_standing.state,
                                              'failure', v_standing.failure), 'api', p_request);
    RETURN 'REQUESTED';
END $$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['request_evaluation', 'request_revert', 'retry_evaluation'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION request_evaluation, request_revert, retry_evaluation TO banca_api;
