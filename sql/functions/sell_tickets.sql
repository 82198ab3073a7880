-- With other parameters a function is another one; both at once would be called by neither name.
DROP FUNCTION IF EXISTS sell_tickets;

-- Judge and record a batch of tickets of one banca: one call, one transaction, one round trip.
--
-- Takes   parallel arrays: t_* one entry per ticket, j_* one per jugada; k_* one per kind of counter that must be kept;
--         c_* one per capped counter: what the batch claims of it at most, and the least of its caps; g_* one per
--         limit that grows with the sales, or counts in single tickets; r_* one per rule, l_* one per limit that it
--         sets (for a number, in a scope), f_* one per fact: what a ticket (f_ticket) adds to what a limit (f_limit)
--         counts; f_unbound: the places of the facts that do not bind their ticket. References are 1-based. Keys are
--         distinct per actor and per terminal inside a batch. Empty arrays are legal.
-- Gives   one row per ticket, in the order asked.
-- Locks   the draws by id → the accounts by id; everything else is read after that, in statements of their own, because
--         under READ COMMITTED a statement that locks sees of other rows what was true before it waited.
-- Knows   no commission, multiplier or restriction rule: prices and caps come in as facts.
-- Plans   are kept by connections that may first have run on empty tables. So every look-up is a LATERAL that OFFSET 0
--         keeps apart: by its whole key, ticket by ticket, whatever the statistics said when it was planned.
-- A refusal is a row, never an exception, and never touches its neighbours.
CREATE FUNCTION sell_tickets(
    p_banca uuid,
    t_id uuid[], t_sorteo uuid[], t_vendedor uuid[], t_ventana uuid[], t_actor uuid[], t_actor_role text[],
    t_session uuid[], t_terminal uuid[], t_key_version integer[], t_key text[], t_fingerprint bytea[],
    t_request text[], t_cliente text[], t_version bigint[],
    t_total bigint[], t_commission bigint[], t_seller_credit bigint[], t_listero bigint[],
    t_cutoff_s integer[], t_valid_from timestamptz[], t_valid_until timestamptz[], t_warnings text[],
    j_ticket integer[], j_line smallint[], j_number smallint[], j_reventado boolean[], j_amount bigint[],
    j_multiplier uuid[], j_x integer[], j_basis_points integer[], j_commission bigint[], j_origin smallint[],
    j_rule text[], j_listero bigint[],
    k_sorteo uuid[], k_scope text[], k_scope_id uuid[], k_multiplier_key uuid[],
    c_kind integer[], c_number smallint[], c_claimed bigint[], c_cap bigint[],
    g_kind integer[], g_number smallint[], g_claimed bigint[], g_cap bigint[], g_base bigint[],
    g_basis_points integer[], g_accumulates boolean[],
    r_sorteo uuid[], r_scope text[], r_multiplier_key uuid[], r_cap bigint[], r_base bigint[], r_basis_points integer[],
    r_accumulates boolean[], r_code text[], r_label text[],
    l_rule integer[], l_scope_id uuid[], l_number smallint[],
    f_ticket integer[], f_limit integer[], f_amount bigint[], f_unbound integer[],
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    pos integer, outcome text, recorded text, business_date date, sorteo_id uuid, sequence bigint,
    at timestamptz, violations jsonb, balance_cents bigint, balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
-- Statistics of a fresh or emptied table must never make the plan scan it.
SET enable_seqscan = off
-- The planner takes every array for short; two long ones must not be joined by trying each pair.
SET enable_nestloop = off
-- Where switched-off plans count as dear ones, they would be compiled.
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    c_nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    -- How far a seller without a credit limit may owe: far above any debt, and far from what a balance can hold.
    c_debt_max CONSTANT bigint := 1000000000000000000;
    v_tickets CONSTANT integer := cardinality(t_id);
    v_at timestamptz;
    v_version bigint;
    v_event bigint;
    v_sales uuid;
    v_commissions uuid;
    -- What was locked, as it stood before the batch.
    v_draws sorteos[];
    v_draw_ids uuid[];
    v_accounts accounts[];
    v_account_ids uuid[];
    -- Of each account what all its tickets together would take from it.
    v_owed bigint[];
    -- Of each ticket the places of its draw and its account among these; null: it is not there.
    v_draw_place integer[];
    v_account_place integer[];
    v_day date[];
    v_has_exclusions boolean := false;
    -- Tickets of which a standing exclusion takes something out.
    v_excluded integer[];
    v_verdict sale_verdict[];
    v_violations jsonb[];
    -- Of each ticket whose key was used before, what was recorded; null: of none.
    v_known idempotency[];
    v_is_tight boolean := false;
    -- What one number of a draw may cost at most; what any may cost now, at worst; and all stakes of the batch.
    v_payout_max bigint;
    v_worst record;
    v_staked bigint := 0;
    -- Of each ticket and number what it adds to that, and what the number may cost before; empty unless one comes near its
    -- bound.
    h_ticket integer[] := '{}';
    h_number smallint[] := '{}';
    h_amount bigint[] := '{}';
    h_used bigint[] := '{}';
    -- Of each ticket that is sold; the others have none.
    v_sequence bigint[] := array_fill(NULL::bigint, ARRAY[v_tickets]);
    v_sold_in uuid[] := array_fill(NULL::uuid, ARRAY[v_tickets]);
    v_sold integer := 0;
    -- Of each draw its last sequence now, and of each account what is taken from it; null: nothing was sold there.
    v_last bigint[];
    v_net bigint[];
BEGIN
    IF v_tickets = 0 THEN
        RETURN;
    END IF;
    PERFORM set_config('app.banca_id', p_banca::text, true);

    -- Of the rows that it locks a statement does see what stands now.
    SELECT array_agg(l.s), coalesce(array_agg((l.s).id), '{}') INTO v_draws, v_draw_ids
      FROM (SELECT s FROM sorteos s
             WHERE banca_id = p_banca AND id = ANY (t_sorteo) ORDER BY id FOR NO KEY UPDATE) l;
    SELECT array_agg(l.a), coalesce(array_agg((l.a).id), '{}') INTO v_accounts, v_account_ids
      FROM (SELECT a FROM accounts a
             WHERE banca_id = p_banca AND id = ANY (t_vendedor) ORDER BY id FOR NO KEY UPDATE) l;

    v_at := date_trunc('milliseconds', clock_timestamp());
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL THEN
        v_at := CASE WHEN (SELECT i.test_clock FROM instance i) THEN p_at ELSE v_at END;
    END IF;
    SELECT b.rulebook_version, b.number_payout_max_cents INTO v_version, v_payout_max FROM bancas b WHERE b.id = p_banca;
    SELECT w.* INTO v_worst FROM worst_payout(p_banca, v_draw_ids) w;
    IF v_worst.uncounted IS NOT NULL THEN
        PERFORM count_payouts(p_banca, u.id) FROM unnest(v_worst.uncounted) AS u (id);
        SELECT w.* INTO v_worst FROM worst_payout(p_banca, v_draw_ids) w;
    END IF;

    IF cardinality(k_sorteo) > 0 THEN
        PERFORM track_exposure(p_banca, k_sorteo, k_scope::exposure_scope[], k_scope_id, k_multiplier_key);
    END IF;

    -- In loops, here and below: a join or an aggregate costs a lone ticket more to set up than a batch to go through.
    v_last := array_fill(NULL::bigint, ARRAY[cardinality(v_draw_ids)]);
    v_net := array_fill(NULL::bigint, ARRAY[cardinality(v_account_ids)]);
    v_owed := array_fill(0::bigint, ARRAY[cardinality(v_account_ids)]);
    FOR i IN 1 .. v_tickets LOOP
        v_draw_place[i] := array_position(v_draw_ids, t_sorteo[i]);
        v_account_place[i] := array_position(v_account_ids, t_vendedor[i]);
        v_day[i] := (v_draws[v_draw_place[i]]).business_date;
        v_staked := v_staked + t_total[i];
        IF v_account_place[i] IS NOT NULL THEN
            v_owed[v_account_place[i]] := v_owed[v_account_place[i]] + t_total[i] - t_seller_credit[i];
        END IF;
    END LOOP;

    FOR k IN 1 .. cardinality(v_draw_ids) LOOP
        v_has_exclusions := v_has_exclusions OR (v_draws[k]).has_exclusions;
    END LOOP;
    IF v_has_exclusions THEN
        SELECT array_agg(j_ticket[c.place]) INTO v_excluded
          FROM (SELECT array_agg(t_sorteo[j.ticket]) AS sorteo, array_agg(j.ticket::bigint) AS ticket,
                       array_agg(t_ventana[j.ticket]) AS ventana, array_agg(t_vendedor[j.ticket]) AS vendedor
                  FROM unnest(j_ticket) AS j (ticket)) a
         CROSS JOIN LATERAL covering_exclusions(p_banca, a.sorteo, a.ticket, a.ventana, a.vendedor, j_number,
                                                j_reventado, j_multiplier) c;
    END IF;

    -- Each ticket by itself, in order of precedence; null: nothing speaks against it yet.
    SELECT array_agg(x.verdict ORDER BY x.n),
           array_agg(CASE WHEN x.verdict IN ('KNOWN', 'CLOSED', 'CUTOFF') THEN x.facts END ORDER BY x.n)
      INTO v_verdict, v_violations
      FROM (
        SELECT t.n,
               CASE
                   WHEN g.verdict IS NOT NULL THEN g.verdict::sale_verdict
                   -- One ticket of this actor, another one of this terminal: the key names neither.
                   WHEN k.key IS NOT NULL AND h.key IS NOT NULL THEN 'MISMATCH'::sale_verdict
                   WHEN k.outcome = 'TOMBSTONE' OR h.outcome = 'TOMBSTONE' THEN 'CANCELLED_BEFORE_SALE'
                   WHEN k.fingerprint = t.fingerprint OR h.fingerprint = t.fingerprint THEN 'KNOWN'
                   WHEN k.key IS NOT NULL OR h.key IS NOT NULL THEN 'MISMATCH'
                   WHEN (v_accounts[t.account]).balance_cents IS NULL THEN 'SELLER_NOT_FOUND'
                   WHEN t.version <> v_version THEN 'STALE'
                   WHEN t.draw IS NULL THEN 'SORTEO_NOT_FOUND'
                   WHEN (v_draws[t.draw]).status IN ('CLOSED', 'EVALUATED') THEN 'CLOSED'
                   WHEN (v_draws[t.draw]).status <> 'OPEN' OR NOT (v_draws[t.draw]).is_active THEN 'SORTEO_NOT_OPEN'
                   WHEN t.n = ANY (v_excluded) THEN 'LISTA_EXCLUDED'
                   WHEN v_at >= (v_draws[t.draw]).scheduled_at - make_interval(secs => t.cutoff_s - 1) THEN 'CUTOFF'
                   WHEN v_at < t.valid_from OR v_at >= t.valid_until THEN 'STALE'
               END AS verdict,
               CASE
                   WHEN k.key IS NOT NULL THEN k.violations
                   WHEN h.key IS NOT NULL THEN h.violations
                   WHEN (v_draws[t.draw]).status IN ('CLOSED', 'EVALUATED') THEN
                       jsonb_build_array(jsonb_build_object(
                           'code', 'SORTEO_CLOSED', 'status', (v_draws[t.draw]).status))
                   WHEN v_at >= (v_draws[t.draw]).scheduled_at - make_interval(secs => t.cutoff_s - 1) THEN
                       jsonb_build_array(jsonb_build_object(
                           'code', 'SALES_CUTOFF_REACHED', 'scheduledAt', (v_draws[t.draw]).scheduled_at,
                           'cutoffS', t.cutoff_s, 'at', v_at))
               END AS facts
          FROM unnest(v_draw_place, v_account_place, t_vendedor, t_actor, t_session, t_terminal, t_key_version, t_key,
                      t_fingerprint, t_version, t_cutoff_s, t_valid_from, t_valid_until) WITH ORDINALITY
               AS t (draw, account, vendedor, actor, session, terminal, key_version, key, fingerprint, version,
                     cutoff_s, valid_from, valid_until, n)
          LEFT JOIN LATERAL (
              SELECT verdict
                FROM actor_gate(p_banca, t.actor, t.vendedor, t.session, t.terminal, t.key_version, v_at)
              OFFSET 0) g ON true
          LEFT JOIN LATERAL (
              SELECT * FROM idempotency WHERE banca_id = p_banca AND actor_id = t.actor AND key = t.key
              OFFSET 0) k ON true
          -- Sent by this terminal before, when another actor was logged in there.
          LEFT JOIN LATERAL (
              SELECT * FROM idempotency
               WHERE banca_id = p_banca AND terminal_id = t.terminal AND key = t.key AND actor_id <> t.actor
              OFFSET 0) h ON true
      ) x;

    -- Would all fit together, those that were judged already too, under the caps as they stand now? Then nothing is
    -- judged one by one. Of several limits on a counter the caller names the strictest.
    IF cardinality(c_kind) > 0 THEN
        v_is_tight := EXISTS (
            SELECT FROM unnest(c_kind, c_number, c_claimed, c_cap) AS c (kind, number, claimed, cap)
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE banca_id = p_banca AND sorteo_id = k_sorteo[c.kind] AND scope_id = k_scope_id[c.kind]
                     AND multiplier_key = k_multiplier_key[c.kind] AND number = c.number
                  OFFSET 0) e ON true
             WHERE c.claimed + coalesce(e.amount_cents, 0) > c.cap);
    END IF;
    IF NOT v_is_tight AND cardinality(g_kind) > 0 THEN
        v_is_tight := EXISTS (
            SELECT FROM unnest(g_kind, g_number, g_claimed, g_cap, g_base, g_basis_points, g_accumulates)
                        AS g (kind, number, claimed, cap, base, basis_points, accumulates)
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE g.accumulates AND banca_id = p_banca AND sorteo_id = k_sorteo[g.kind]
                     AND scope_id = k_scope_id[g.kind] AND multiplier_key = k_multiplier_key[g.kind]
                     AND number = g.number
                  OFFSET 0) e ON true
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE g.basis_points IS NOT NULL AND banca_id = p_banca AND sorteo_id = k_sorteo[g.kind]
                     AND scope_id = k_scope_id[g.kind] AND multiplier_key = c_nil AND number = -1
                  OFFSET 0) w ON true
             WHERE g.claimed + coalesce(e.amount_cents, 0)
                   > least(g.cap, greatest(g.base,
                                           div(coalesce(w.amount_cents, 0)::numeric * g.basis_points, 10000)::bigint)));
    END IF;
    FOR k IN 1 .. cardinality(v_account_ids) LOOP
        v_is_tight := v_is_tight
            OR v_owed[k] > (v_accounts[k]).balance_cents::numeric
                           + coalesce((v_accounts[k]).credit_limit_cents, c_debt_max);
    END LOOP;
    -- A payout is at most the dearest multiplier's. Only where all of them together might pass the bound, the numbers are
    -- looked at one by one.
    IF v_worst.worst + v_staked * 9999 > v_payout_max THEN
        SELECT p.tickets, p.numbers, p.amounts, p.used INTO h_ticket, h_number, h_amount, h_used
          FROM (SELECT array_agg((v_draws[t.draw]).loteria_id ORDER BY t.n) AS ids
                  FROM unnest(v_draw_place) WITH ORDINALITY AS t (draw, n)) l
         CROSS JOIN LATERAL payout_claims(p_banca, t_sorteo, l.ids, j_ticket, j_number, j_reventado, j_amount, j_x) p;
        v_is_tight := v_is_tight OR EXISTS (
            SELECT FROM unnest(h_ticket, h_number, h_amount, h_used) AS p (ticket, number, amount, used)
             GROUP BY t_sorteo[p.ticket], p.number HAVING sum(p.amount) + min(p.used) > v_payout_max);
    END IF;

    IF v_is_tight THEN
        SELECT j.verdicts, j.violations INTO v_verdict, v_violations
          FROM (SELECT array_agg(a.balance_cents) AS balance,
                       array_agg(coalesce(a.credit_limit_cents, CASE WHEN a.balance_cents < -c_debt_max / 2
                                                                     THEN c_debt_max END)) AS credit
                  FROM unnest(v_accounts) a) a
         CROSS JOIN (SELECT array_agg((v_draws[t.draw]).digits ORDER BY t.n) AS digits
                       FROM unnest(v_draw_place) WITH ORDINALITY AS t (draw, n)) t
         CROSS JOIN LATERAL judge_tight_sales(
                   p_banca, t_sorteo, t_vendedor, t_ventana, t_total, t_seller_credit, t.digits, v_verdict,
                   v_violations, v_account_ids, a.balance, a.credit, r_sorteo, r_scope, r_multiplier_key, r_cap, r_base,
                   r_basis_points, r_accumulates, r_code, r_label, l_rule, l_scope_id, l_number,
                   f_ticket, f_limit, f_amount, f_unbound, h_ticket, h_number, h_amount, h_used, v_payout_max) j;
    END IF;

    -- Everything that is still unjudged is sold. Sequences run without a gap, draw by draw, in order of arrival.
    FOR i IN 1 .. v_tickets LOOP
        CONTINUE WHEN v_verdict[i] IS NOT NULL;
        v_verdict[i] := 'SOLD';
        v_sold := v_sold + 1;
        v_sold_in[i] := t_sorteo[i];
        v_last[v_draw_place[i]] := coalesce(v_last[v_draw_place[i]], (v_draws[v_draw_place[i]]).last_sequence) + 1;
        v_sequence[i] := v_last[v_draw_place[i]];
        v_net[v_account_place[i]] := coalesce(v_net[v_account_place[i]], 0) + t_total[i] - t_seller_credit[i];
    END LOOP;

    IF v_sold > 0 THEN
        v_event := nextval('outbox_id');
        SELECT a.id INTO STRICT v_sales FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'SALES';
        SELECT a.id INTO STRICT v_commissions FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'COMMISSIONS';

        INSERT INTO tickets (
            banca_id, business_date, sorteo_id, sequence, id, event_id, rulebook_version, ventana_id, vendedor_id,
            created_by, created_by_role, terminal_id, total_cents, commission_cents, seller_credit_cents,
            listero_commission_cents, cliente_nombre, created_at, warnings)
        SELECT p_banca, t.day, t.sorteo, t.sequence, t.id, v_event, t.version, t.ventana, t.vendedor,
               t.actor, t.role::user_role, t.terminal, t.total, t.commission, t.credit, t.listero, t.cliente, v_at,
               t.warnings::json
          FROM unnest(v_day, t_sorteo, v_sequence, t_id, t_version, t_ventana, t_vendedor, t_actor, t_actor_role,
                      t_terminal, t_total, t_commission, t_seller_credit, t_listero, t_cliente, t_warnings)
               AS t (day, sorteo, sequence, id, version, ventana, vendedor, actor, role, terminal, total,
                     commission, credit, listero, cliente, warnings)
         WHERE t.sequence IS NOT NULL;

        INSERT INTO jugadas (
            banca_id, business_date, sorteo_id, sequence, line, number, type, commission_origin,
            multiplier_x_hundredths, commission_basis_points, amount_cents, commission_cents,
            listero_commission_cents, multiplier_id, commission_rule_id)
        SELECT p_banca, v_day[j.ticket], t_sorteo[j.ticket], v_sequence[j.ticket], j.line, j.number,
               CASE WHEN j.reventado THEN 'REVENTADO'::jugada_type ELSE 'NUMERO' END,
               CASE j.origin WHEN 1 THEN 'USER'::commission_origin WHEN 2 THEN 'VENTANA' WHEN 3 THEN 'BANCA' END,
               j.x, j.basis_points, j.amount, j.commission, j.listero, j.multiplier, j.rule
          FROM unnest(j_ticket, j_line, j_number, j_reventado, j_amount, j_multiplier, j_x, j_basis_points,
                      j_commission, j_origin, j_rule, j_listero)
               AS j (ticket, line, number, reventado, amount, multiplier, x, basis_points, commission, origin, rule,
                     listero)
         WHERE v_sequence[j.ticket] IS NOT NULL;

        INSERT INTO transfers (
            banca_id, business_date, reference_id, event_id, kind, debit_account_id, credit_account_id,
            amount_cents, created_at)
        SELECT p_banca, t.day, t.id, v_event, m.kind, m.debit, m.credit, m.amount, v_at
          FROM unnest(v_day, t_id, v_sequence, t_vendedor, t_ventana, t_total, t_seller_credit, t_listero)
               AS t (day, id, sequence, vendedor, ventana, total, credit, listero)
         CROSS JOIN LATERAL (VALUES
               ('SALE'::transfer_kind, t.vendedor, v_sales, t.total),
               ('COMMISSION', v_commissions, t.vendedor, t.credit),
               ('LISTERO_COMMISSION', v_commissions, t.ventana, t.listero)) AS m (kind, debit, credit, amount)
         WHERE t.sequence IS NOT NULL AND m.amount > 0;

        UPDATE accounts
           SET balance_cents = balance_cents - v_net[array_position(v_account_ids, id)],
               balance_version = balance_version + 1
         WHERE banca_id = p_banca AND id = ANY (v_account_ids) AND v_net[array_position(v_account_ids, id)] IS NOT NULL;

        INSERT INTO exposure AS e (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents,
                                   payout_cents, reventado_cents, counted_cents)
        SELECT p_banca, m.sorteo_id, m.scope, m.scope_id, m.multiplier_key, m.number, m.amount_cents, m.payout_cents,
               m.reventado_cents, m.amount_cents
          FROM exposure_moves(p_banca, v_sold_in, t_ventana, t_vendedor, j_ticket, j_number, j_reventado, j_multiplier,
                              j_amount, j_x) m
        ON CONFLICT (banca_id, sorteo_id, scope_id, multiplier_key, number)
        DO UPDATE SET amount_cents = e.amount_cents + excluded.amount_cents,
                      payout_cents = e.payout_cents + excluded.payout_cents,
                      reventado_cents = e.reventado_cents + excluded.reventado_cents,
                      counted_cents = e.counted_cents + excluded.counted_cents;

        UPDATE sorteos SET last_sequence = v_last[array_position(v_draw_ids, id)]
         WHERE banca_id = p_banca AND id = ANY (v_draw_ids) AND v_last[array_position(v_draw_ids, id)] IS NOT NULL;

        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        SELECT v_event, p_banca, 'tickets.sold', json_build_object(
                   'at', v_at, 'rulebookVersion', v_version,
                   'sorteos', (SELECT json_agg(json_build_object(
                                          'sorteoId', s.id, 'from', (v_draws[s.n]).last_sequence + 1, 'to', s.last))
                                 FROM unnest(v_draw_ids, v_last) WITH ORDINALITY AS s (id, last, n)
                                WHERE s.last IS NOT NULL),
                   'ticketIds', json_agg(t.id), 'sorteoIds', json_agg(t.sorteo), 'sequences', json_agg(t.sequence),
                   'vendedorIds', json_agg(t.vendedor), 'actorIds', json_agg(t.actor), 'actorRoles', json_agg(t.role),
                   'terminalIds', json_agg(t.terminal), 'totalsCents', json_agg(t.total),
                   'keys', json_agg(t.key), 'requestIds', json_agg(t.request)), v_at
          FROM unnest(t_id, t_sorteo, v_sequence, t_vendedor, t_actor, t_actor_role, t_terminal, t_total, t_key,
                      t_request) WITH ORDINALITY
               AS t (id, sorteo, sequence, vendedor, actor, role, terminal, total, key, request, n)
         WHERE t.sequence IS NOT NULL;
    END IF;

    INSERT INTO idempotency (
        banca_id, actor_id, terminal_id, key, fingerprint, outcome, business_date, sorteo_id, sequence, violations,
        created_at)
    SELECT p_banca, t.actor, t.terminal, t.key, t.fingerprint,
           CASE t.verdict WHEN 'SOLD' THEN 'SOLD' WHEN 'SOLD_OUT' THEN 'SOLD_OUT' WHEN 'NO_FUNDS' THEN 'NO_FUNDS'
                          ELSE 'CLOSED' END::idempotency_outcome,
           t.day, t.sorteo, t.sequence, v_violations[t.n], v_at
      FROM unnest(t_actor, t_terminal, t_key, t_fingerprint, v_verdict, v_day, t_sorteo, v_sequence) WITH ORDINALITY
           AS t (actor, terminal, key, fingerprint, verdict, day, sorteo, sequence, n)
     WHERE t.verdict IN ('SOLD', 'SOLD_OUT', 'NO_FUNDS', 'CLOSED', 'CUTOFF');

    -- What was answered before is looked up again only where something was: else nothing is set up for it.
    IF 'KNOWN' = ANY (v_verdict) THEN
        SELECT array_agg(k.found ORDER BY t.n) INTO v_known
          FROM unnest(v_verdict, t_actor, t_terminal, t_key) WITH ORDINALITY AS t (verdict, actor, terminal, key, n)
          LEFT JOIN LATERAL (
              SELECT (k.used) AS found FROM find_key(p_banca, t.actor, t.terminal, t.key) k WHERE t.verdict = 'KNOWN'
              OFFSET 0) k ON true;
    END IF;
    RETURN QUERY
    SELECT t.n::integer, t.verdict::text, (v_known[t.n]).outcome::text,
           coalesce(t.day, (v_known[t.n]).business_date), coalesce((v_known[t.n]).sorteo_id, t.sorteo),
           coalesce(t.sequence, (v_known[t.n]).sequence), coalesce((v_known[t.n]).created_at, v_at), v_violations[t.n],
           CASE WHEN t.verdict = 'SOLD' THEN (v_accounts[t.account]).balance_cents - v_net[t.account] END,
           CASE WHEN t.verdict = 'SOLD' THEN (v_accounts[t.account]).balance_version + 1 END
      FROM unnest(v_verdict, v_day, t_sorteo, v_sequence, v_account_place) WITH ORDINALITY
           AS t (verdict, day, sorteo, sequence, account, n)
     ORDER BY t.n;
END $$;

ALTER FUNCTION sell_tickets OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sell_tickets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sell_tickets TO banca_api;
