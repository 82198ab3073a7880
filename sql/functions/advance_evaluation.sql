-- One step of what was asked of a draw's result (sql/functions/evaluate_sorteo.sql): prizes paid or taken back for the
-- next p_tickets of its tickets; when none is left, the draw moved on. One call, one transaction; the progress is part of
-- it, so that whoever comes next goes on from there, however this one ended.
--
-- Gives   one row. BUSY: somebody else is at it; NOTHING: nothing is asked, or it failed and waits to be tried again;
--         PAID, TAKEN_BACK: go on; SET_ASIDE: one ticket cannot be done, go on with the others; FAILED: all others are
--         done, or too many failed; DONE, REVERTED.
--         Of the sellers whose balance moved, parallel arrays: what stands in their accounts now.
-- Locks   the draw's evaluation (advisory), without waiting; of a step with tickets then the accounts by id, of the last
--         step the draw. So sales of other draws wait for no more than one step, and only where a seller won.
-- Plans   are made for each call: the tables may have been empty when the connection came. A ticket is looked up by its
--         jugada's banca and draw: of a banca by name the planner believes that it has no tickets, until the statistics
--         have seen them, and would read all of them for each winner.
-- What the data cannot bear (SQLSTATE classes 22 and 23) is the fault of some ticket of the step: the step is halved until
-- it is that ticket alone, which is set aside (evaluation_failures). Any other error ends the call; the worker counts
-- these, and gives up with fail_evaluation.
DROP FUNCTION IF EXISTS advance_evaluation;
CREATE FUNCTION advance_evaluation(p_banca uuid, p_sorteo uuid, p_tickets integer)
RETURNS TABLE (step text, account_ids uuid[], balances_cents bigint[], balance_versions bigint[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    -- More than these in one draw are not an accident of some tickets.
    c_set_aside_max CONSTANT integer := 100;
    v_result sorteo_results;
    v_step text;
    v_again bigint;
    v_to bigint;
    v_left integer;
    v_sellers uuid[];
    v_amounts bigint[];
    v_total bigint;
    v_tickets integer;
    v_moved record;
    v_reason text;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF NOT pg_try_advisory_xact_lock(hashtext('banca.evaluation'), hashtext(p_sorteo::text)) THEN
        RETURN QUERY SELECT 'BUSY', '{}'::uuid[], '{}'::bigint[], '{}'::bigint[];
        RETURN;
    END IF;
    -- A statement of its own: it sees what the lock's holder before us wrote. Nobody else writes a result that is under
    -- way.
    SELECT * INTO v_result FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('RUNNING', 'REVERTING')
       AND r.failed_at IS NULL;
    IF v_result.banca_id IS NULL THEN
        RETURN QUERY SELECT 'NOTHING', '{}'::uuid[], '{}'::bigint[], '{}'::bigint[];
        RETURN;
    END IF;
    -- First what was set aside and is to be tried again, ticket by ticket.
    SELECT min(f.sequence) FILTER (WHERE f.is_due), count(*) INTO v_again, v_left FROM evaluation_failures f
     WHERE f.banca_id = p_banca AND f.sorteo_id = p_sorteo AND f.evaluation = v_result.evaluation
       AND f.state = v_result.state AND f.resolved_at IS NULL;

    IF v_again IS NULL AND (v_result.next_sequence > v_result.last_sequence OR v_left >= c_set_aside_max) THEN
        IF v_left > 0 THEN
            PERFORM stop_evaluation(v_result, format('%s tickets failed', v_left));
            v_step := 'FAILED';
        ELSIF v_result.state = 'RUNNING' THEN
            v_step := settle_sorteo(v_result);
        ELSE
            v_step := reopen_result(v_result);
            SELECT w.sellers, w.amounts_cents INTO v_sellers, v_amounts FROM reverse_write_offs(v_result) w;
        END IF;
        IF v_step <> 'FAILED' THEN
            -- By the result that stands now; write-offs of the one that does not are undone.
            PERFORM refresh_cash_memos(p_banca, p_sorteo);
        END IF;
        RETURN QUERY
        SELECT v_step, coalesce(m.ids, '{}'), coalesce(m.balances, '{}'), coalesce(m.versions, '{}')
          FROM move_sellers(p_banca, v_sellers, v_amounts) m;
        RETURN;
    END IF;

    v_to := least(v_result.next_sequence + p_tickets - 1, v_result.last_sequence);
    IF v_again IS NOT NULL THEN
        v_result.next_sequence := v_again;
        v_to := v_again;
    END IF;
    LOOP
        BEGIN
            v_total := 0;
            v_tickets := 0;
            IF v_result.state = 'RUNNING' THEN
                v_step := 'PAID';
                SELECT p.sellers, p.amounts_cents, p.total_cents, p.tickets
                  INTO v_sellers, v_amounts, v_total, v_tickets FROM pay_prizes(v_result, v_to) p;
            ELSE
                v_step := 'TAKEN_BACK';
                SELECT p.sellers, p.amounts_cents INTO v_sellers, v_amounts FROM take_prizes_back(v_result, v_to) p;
            END IF;
            UPDATE sorteo_results r
               SET progressed_at = clock_timestamp(),
                   next_sequence = CASE WHEN v_again IS NULL THEN v_to + 1 ELSE r.next_sequence END,
                   total_out_cents = r.total_out_cents + coalesce(v_total, 0),
                   winning_tickets = r.winning_tickets + coalesce(v_tickets, 0)
             WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.evaluation = v_result.evaluation;
            SELECT m.* INTO v_moved FROM move_sellers(p_banca, v_sellers, v_amounts) m;
            EXIT;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
            GET STACKED DIAGNOSTICS v_reason = MESSAGE_TEXT;
            IF v_to > v_result.next_sequence THEN
                v_to := v_result.next_sequence + (v_to - v_result.next_sequence) / 2;
                CONTINUE;
            END IF;
            v_step := 'SET_ASIDE';
            SELECT '{}'::uuid[] AS ids, '{}'::bigint[] AS balances, '{}'::bigint[] AS versions INTO v_moved;
            EXIT;
        END;
    END LOOP;
    IF v_step = 'SET_ASIDE' THEN
        INSERT INTO evaluation_failures AS f (banca_id, sorteo_id, evaluation, state, sequence, reason, failed_at)
        VALUES (p_banca, p_sorteo, v_result.evaluation, v_result.state, v_to, left(v_reason, 500), clock_timestamp())
        ON CONFLICT (banca_id, sorteo_id, evaluation, state, sequence) DO UPDATE
           SET reason = excluded.reason, attempts = f.attempts + 1, is_due = false, failed_at = excluded.failed_at;
        UPDATE sorteo_results r
           SET progressed_at = clock_timestamp(),
               next_sequence = CASE WHEN v_again IS NULL THEN v_to + 1 ELSE r.next_sequence END
         WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.evaluation = v_result.evaluation;
    ELSIF v_again IS NOT NULL THEN
        UPDATE evaluation_failures f SET resolved_at = clock_timestamp(), is_due = false
         WHERE f.banca_id = p_banca AND f.sorteo_id = p_sorteo AND f.evaluation = v_result.evaluation
           AND f.state = v_result.state AND f.sequence = v_again;
    END IF;
    RETURN QUERY
    SELECT v_step, coalesce(v_moved.ids, '{}'), coalesce(v_moved.balances, '{}'), coalesce(v_moved.versions, '{}');
END $$;

-- The workers stop at a result: it says so, and so does the trail. Called under the draw's evaluation lock.
DROP FUNCTION IF EXISTS stop_evaluation;
CREATE FUNCTION stop_evaluation(p_result sorteo_results, p_reason text) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE sorteo_results r SET failed_at = clock_timestamp(), failure = left(p_reason, 500)
     WHERE r.banca_id = p_result.banca_id AND r.sorteo_id = p_result.sorteo_id AND r.evaluation = p_result.evaluation;
    PERFORM write_activity(p_result.banca_id, 'SORTEO_EVALUATION_FAILED', NULL, 'SORTEO', p_result.sorteo_id, NULL,
                           jsonb_build_object('evaluation', p_result.evaluation, 'state', p_result.state,
                                              'reason', left(p_reason, 500)), 'worker', NULL);
END $$;

-- A worker gives a result up that failed again and again, and not by some ticket's fault.
-- Gives   whether it did; another worker may be at it.
DROP FUNCTION IF EXISTS fail_evaluation;
CREATE FUNCTION fail_evaluation(p_banca uuid, p_sorteo uuid, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    v_result sorteo_results;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF NOT pg_try_advisory_xact_lock(hashtext('banca.evaluation'), hashtext(p_sorteo::text)) THEN
        RETURN false;
    END IF;
    SELECT * INTO v_result FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('RUNNING', 'REVERTING')
       AND r.failed_at IS NULL;
    IF v_result.banca_id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM stop_evaluation(v_result, p_reason);
    RETURN true;
END $$;

-- What the tickets up to p_to won: their prizes, and of each winner one transfer to the seller who sold it.
-- Gives   of each seller what is credited; the sum, and how many tickets won.
DROP FUNCTION IF EXISTS pay_prizes;
CREATE FUNCTION pay_prizes(
    p_result sorteo_results, p_to bigint,
    OUT sellers uuid[], OUT amounts_cents bigint[], OUT total_cents bigint, OUT tickets integer
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_day date;
    v_prizes uuid;
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
    SELECT s.business_date INTO STRICT v_day FROM sorteos s
     WHERE s.banca_id = p_result.banca_id AND s.id = p_result.sorteo_id;
    SELECT a.id INTO STRICT v_prizes FROM accounts a WHERE a.banca_id = p_result.banca_id AND a.kind = 'PRIZES';

    -- Cancelled tickets and excluded jugadas never win. REVENTADO pays what the draw says, NUMERO what was sold.
    WITH won AS MATERIALIZED (
        SELECT j.sequence, j.line, t.id, t.vendedor_id, p.x_hundredths, p.multiplier_id,
               prize_cents(j.amount_cents, p.x_hundredths)::bigint AS amount_cents
          -- OFFSET 0: of the others no more is read than the number, not whether they are excluded, far behind it.
          FROM (SELECT j.banca_id, j.sorteo_id, j.sequence, j.line, j.type, j.amount_cents,
                       j.multiplier_x_hundredths, j.multiplier_id, j.exclusion_id
                  FROM jugadas j
                 WHERE j.banca_id = p_result.banca_id AND j.business_date = v_day
                   AND j.sorteo_id = p_result.sorteo_id AND j.sequence BETWEEN p_result.next_sequence AND p_to
                   AND j.number = p_result.winning_number
                OFFSET 0) j
         CROSS JOIN LATERAL (
              SELECT CASE j.type WHEN 'NUMERO' THEN j.multiplier_x_hundredths
                                 ELSE p_result.extra_x_hundredths END AS x_hundredths,
                     CASE j.type WHEN 'NUMERO' THEN j.multiplier_id
                                 ELSE p_result.extra_multiplier_id END AS multiplier_id) p
         CROSS JOIN LATERAL (
              SELECT k.id, k.vendedor_id FROM tickets k
               WHERE k.banca_id = j.banca_id AND k.business_date = v_day
                 AND k.sorteo_id = j.sorteo_id AND k.sequence = j.sequence AND k.status = 'ACTIVE'
              OFFSET 0) t
         WHERE j.exclusion_id IS NULL AND prize_cents(j.amount_cents, p.x_hundredths) > 0
    ), paid AS (
        INSERT INTO prizes (banca_id, business_date, sorteo_id, sequence, line, evaluation, vendedor_id, x_hundredths,
                            multiplier_id, amount_cents)
        SELECT p_result.banca_id, v_day, p_result.sorteo_id, w.sequence, w.line, p_result.evaluation, w.vendedor_id,
               w.x_hundredths, w.multiplier_id, w.amount_cents
          FROM won w ORDER BY w.sequence, w.line
    ), winner AS MATERIALIZED (
        SELECT w.id, w.vendedor_id, sum(w.amount_cents)::bigint AS amount_cents FROM won w GROUP BY w.id, w.vendedor_id
    ), posted AS (
        INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, ordinal, debit_account_id,
                               credit_account_id, amount_cents, created_at)
        SELECT p_result.banca_id, v_day, w.id, p_result.event_id, 'PRIZE', p_result.evaluation, v_prizes,
               w.vendedor_id, w.amount_cents, v_at
          FROM winner w
    )
    SELECT array_agg(w.vendedor_id), array_agg(w.amount_cents), sum(w.amount_cents), sum(w.tickets)
      INTO sellers, amounts_cents, total_cents, tickets
      FROM (SELECT vendedor_id, sum(amount_cents)::bigint AS amount_cents, count(*) AS tickets
              FROM winner GROUP BY vendedor_id) w;
END $$;

-- The prizes' transfers of the tickets up to p_to, the other way. Cash that was paid of them stays on the tickets.
-- Gives   of each seller what is debited, below zero.
DROP FUNCTION IF EXISTS take_prizes_back;
CREATE FUNCTION take_prizes_back(
    p_result sorteo_results, p_to bigint, OUT sellers uuid[], OUT amounts_cents bigint[]
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_day date;
    v_prizes uuid;
    v_at timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
    SELECT s.business_date INTO STRICT v_day FROM sorteos s
     WHERE s.banca_id = p_result.banca_id AND s.id = p_result.sorteo_id;
    SELECT a.id INTO STRICT v_prizes FROM accounts a WHERE a.banca_id = p_result.banca_id AND a.kind = 'PRIZES';

    WITH winner AS MATERIALIZED (
        SELECT t.id, p.vendedor_id, p.amount_cents
          FROM (SELECT banca_id, sorteo_id, sequence, vendedor_id, sum(amount_cents)::bigint AS amount_cents
                  FROM prizes
                 WHERE banca_id = p_result.banca_id AND business_date = v_day AND sorteo_id = p_result.sorteo_id
                   AND sequence BETWEEN p_result.next_sequence AND p_to AND evaluation = p_result.evaluation
                 GROUP BY banca_id, sorteo_id, sequence, vendedor_id
                OFFSET 0) p
         CROSS JOIN LATERAL (
              SELECT k.id FROM tickets k
               WHERE k.banca_id = p.banca_id AND k.business_date = v_day
                 AND k.sorteo_id = p.sorteo_id AND k.sequence = p.sequence
              OFFSET 0) t
    ), posted AS (
        INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, ordinal, debit_account_id,
                               credit_account_id, amount_cents, created_at)
        SELECT p_result.banca_id, v_day, w.id, p_result.revert_event_id, 'PRIZE_REVERSAL', p_result.evaluation,
               w.vendedor_id, v_prizes, w.amount_cents, v_at
          FROM winner w
    )
    SELECT array_agg(w.vendedor_id), array_agg(-w.amount_cents)
      INTO sellers, amounts_cents
      FROM (SELECT vendedor_id, sum(amount_cents)::bigint AS amount_cents FROM winner GROUP BY vendedor_id) w;
END $$;

-- Credit (or, below zero, debit) sellers. Whom a correction pushes under the limit may stand there, to the cent; sales
-- are judged by the limit alone, and refused until it is repaid.
DROP FUNCTION IF EXISTS move_sellers;
CREATE FUNCTION move_sellers(
    p_banca uuid, p_sellers uuid[], p_amounts bigint[], OUT ids uuid[], OUT balances bigint[], OUT versions bigint[]
)
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM 1 FROM accounts a
      WHERE a.banca_id = p_banca AND a.id = ANY (p_sellers) ORDER BY a.id FOR NO KEY UPDATE;
    WITH moved AS (
        UPDATE accounts a
           SET balance_cents = a.balance_cents + m.amount, balance_version = a.balance_version + 1,
               allowed_overdraft_cents = overdraft_of(a.balance_cents + m.amount, a.credit_limit_cents)
          FROM unnest(p_sellers, p_amounts) AS m (id, amount)
         WHERE a.banca_id = p_banca AND a.id = ANY (p_sellers) AND a.id = m.id
        RETURNING a.id, a.balance_cents, a.balance_version)
    SELECT array_agg(m.id), array_agg(m.balance_cents), array_agg(m.balance_version)
      INTO ids, balances, versions FROM moved m;
END $$;

-- What is under way, the longest unmoved first, but those of p_resting last: of every banca, for the workers.
-- Gives   at most p_limit rows; each says how many there are in all, and for how long the longest of these did not move.
DROP FUNCTION IF EXISTS evaluations_under_way;
CREATE FUNCTION evaluations_under_way(p_limit integer, p_resting uuid[] DEFAULT '{}')
RETURNS TABLE (banca_id uuid, sorteo_id uuid, under_way bigint, longest_unmoved interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.banca_id, r.sorteo_id, count(*) OVER (), clock_timestamp() - min(r.progressed_at) OVER ()
      FROM sorteo_results r
     WHERE r.state IN ('RUNNING', 'REVERTING') AND r.failed_at IS NULL
     ORDER BY r.sorteo_id = ANY (p_resting), r.progressed_at
     LIMIT p_limit
$$;

-- For health, of every banca: how many evaluations have failed, and for how long the longest of the others did not move.
DROP FUNCTION IF EXISTS evaluation_health;
CREATE FUNCTION evaluation_health(OUT failed bigint, OUT unmoved_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(r.failed_at),
           coalesce(extract(epoch FROM clock_timestamp() - min(r.progressed_at) FILTER (WHERE r.failed_at IS NULL)), 0)
      FROM sorteo_results r WHERE r.state IN ('RUNNING', 'REVERTING')
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['advance_evaluation', 'stop_evaluation', 'fail_evaluation', 'pay_prizes',
                                         'take_prizes_back', 'move_sellers', 'evaluations_under_way',
                                         'evaluation_health'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION advance_evaluation, fail_evaluation, evaluations_under_way TO banca_worker;
GRANT EXECUTE ON FUNCTION evaluation_health TO banca_api, banca_worker;
