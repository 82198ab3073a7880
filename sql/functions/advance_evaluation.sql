-- One step of what was asked of a draw's result (sql/functions/evaluate_sorteo.sql): prizes paid or taken back for the
-- next p_tickets of its tickets; when none is left, the draw moved on. One call, one transaction; the progress is part of
-- it, so that whoever comes next goes on from there, however this one ended.
--
-- Gives   one row. BUSY: somebody else is at it; NOTHING: nothing is asked; PAID, TAKEN_BACK: go on; DONE, REVERTED.
--         Of the sellers whose balance moved, parallel arrays: what stands in their accounts now.
-- Locks   the draw's evaluation (advisory), without waiting; of a step with tickets then the accounts by id, of the last
--         step the draw. So sales of other draws wait for no more than one step, and only where a seller won.
-- Plans   are made for each call: the tables may have been empty when the connection came. A ticket is looked up by its
--         jugada's banca and draw: of a banca by name the planner believes that it has no tickets, until the statistics
--         have seen them, and would read all of them for each winner.
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
    v_result sorteo_results;
    v_step text;
    v_to bigint;
    v_sellers uuid[];
    v_amounts bigint[];
    v_total bigint;
    v_tickets integer;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF NOT pg_try_advisory_xact_lock(hashtext('banca.evaluation'), hashtext(p_sorteo::text)) THEN
        RETURN QUERY SELECT 'BUSY', '{}'::uuid[], '{}'::bigint[], '{}'::bigint[];
        RETURN;
    END IF;
    -- A statement of its own: it sees what the lock's holder before us wrote. Nobody else writes a result that is under
    -- way.
    SELECT * INTO v_result FROM sorteo_results r
     WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.state IN ('RUNNING', 'REVERTING');

    IF v_result.banca_id IS NULL THEN
        v_step := 'NOTHING';
    ELSIF v_result.next_sequence > v_result.last_sequence THEN
        IF v_result.state = 'RUNNING' THEN
            v_step := settle_sorteo(v_result);
        ELSE
            v_step := reopen_result(v_result);
            SELECT w.sellers, w.amounts_cents INTO v_sellers, v_amounts FROM reverse_write_offs(v_result) w;
        END IF;
        -- By the result that stands now; write-offs of the one that does not are undone.
        PERFORM refresh_cash_memos(p_banca, p_sorteo);
    ELSE
        v_to := least(v_result.next_sequence + p_tickets - 1, v_result.last_sequence);
        IF v_result.state = 'RUNNING' THEN
            v_step := 'PAID';
            SELECT p.sellers, p.amounts_cents, p.total_cents, p.tickets
              INTO v_sellers, v_amounts, v_total, v_tickets FROM pay_prizes(v_result, v_to) p;
        ELSE
            v_step := 'TAKEN_BACK';
            SELECT p.sellers, p.amounts_cents INTO v_sellers, v_amounts FROM take_prizes_back(v_result, v_to) p;
        END IF;
        UPDATE sorteo_results r
           SET next_sequence = v_to + 1, progressed_at = clock_timestamp(),
               total_out_cents = r.total_out_cents + coalesce(v_total, 0),
               winning_tickets = r.winning_tickets + coalesce(v_tickets, 0)
         WHERE r.banca_id = p_banca AND r.sorteo_id = p_sorteo AND r.evaluation = v_result.evaluation;
    END IF;
    RETURN QUERY
    SELECT v_step, coalesce(m.ids, '{}'), coalesce(m.balances, '{}'), coalesce(m.versions, '{}')
      FROM move_sellers(p_banca, v_sellers, v_amounts) m;
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
               (j.amount_cents * p.x_hundredths + 50) / 100 AS amount_cents
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
         WHERE j.exclusion_id IS NULL AND (j.amount_cents * p.x_hundredths + 50) / 100 > 0
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
     WHERE r.state IN ('RUNNING', 'REVERTING')
     ORDER BY r.sorteo_id = ANY (p_resting), r.progressed_at
     LIMIT p_limit
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['advance_evaluation', 'pay_prizes', 'take_prizes_back', 'move_sellers',
                                         'evaluations_under_way'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION advance_evaluation, evaluations_under_way TO banca_worker;
