-- With other parameters a function is another one; both at once would be called by neither name.
DROP FUNCTION IF EXISTS sell_tickets;
DROP FUNCTION IF EXISTS sale_claims;

-- What the unjudged tickets of a batch claim: of limited counters (one row per fact) and of accounts (one per ticket
-- with a credit limit), each with what stood there when the batch began.
--
-- slot     names the counter, sales_slot the counter of its scope's sales (null: the limit does not depend on them).
-- ceiling  is the static cap; floor and basis_points make the dynamic one: max(floor, sales × basis points).
-- fact_at  is the fact's place: violations are answered in the rules' order.
-- used     counts only where the limit accumulates; a limit per ticket compares the amount alone.
-- A fact that does not bind has neither ceiling nor floor: its ticket passes, and counts for those after it.
CREATE OR REPLACE FUNCTION sale_claims(
    p_banca uuid, t_sorteo uuid[], t_vendedor uuid[], t_total bigint[], t_seller_credit bigint[],
    t_verdict sale_verdict[],
    l_scope_id uuid[], l_multiplier_key uuid[], l_number smallint[], l_cap bigint[], l_base bigint[],
    l_basis_points integer[], l_accumulates boolean[], l_sorteo uuid[],
    f_ticket integer[], f_limit integer[], f_amount bigint[], f_unbound integer[]
) RETURNS TABLE (
    ticket integer, limit_at integer, kind text, amount bigint, ceiling bigint, floor bigint, basis_points integer,
    used bigint, sales bigint, accumulates boolean, fact_at bigint
)
LANGUAGE sql STABLE
AS $$
    SELECT f.ticket, f.limit_at, 'LIMIT', f.amount, CASE WHEN f.n <> ALL (f_unbound) THEN l.cap END,
           CASE WHEN f.n <> ALL (f_unbound) THEN l.base END, CASE WHEN f.n <> ALL (f_unbound) THEN l.basis_points END,
           CASE WHEN l.accumulates THEN coalesce(l.used, 0) ELSE 0 END, coalesce(l.sales, 0), l.accumulates,
           f.n
      FROM (SELECT l.*, e.amount_cents AS used, w.amount_cents AS sales
              FROM unnest(l_scope_id, l_multiplier_key, l_number, l_cap, l_base, l_basis_points,
                          l_accumulates, l_sorteo) WITH ORDINALITY
                   AS l (scope_id, multiplier_key, number, cap, base, basis_points, accumulates, sorteo, n)
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE banca_id = p_banca AND sorteo_id = l.sorteo AND scope_id = l.scope_id
                     AND multiplier_key = l.multiplier_key AND number = l.number
                  OFFSET 0) e ON true
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE l.basis_points IS NOT NULL
                     AND banca_id = p_banca AND sorteo_id = l.sorteo AND scope_id = l.scope_id
                     AND multiplier_key = '00000000-0000-0000-0000-000000000000'
                     AND number = -1
                  OFFSET 0) w ON true) l
      JOIN unnest(f_ticket, f_limit, f_amount) WITH ORDINALITY AS f (ticket, limit_at, amount, n)
        ON f.limit_at = l.n
     WHERE t_verdict[f.ticket] IS NULL
    UNION ALL
    SELECT t.n::integer, NULL, 'FUNDS', t.total - t.credit, a.available, NULL, NULL, 0, 0, true, NULL
      FROM unnest(t_vendedor, t_total, t_seller_credit) WITH ORDINALITY AS t (vendedor, total, credit, n)
     CROSS JOIN LATERAL (
          SELECT balance_cents + credit_limit_cents AS available FROM accounts
           WHERE banca_id = p_banca AND id = t.vendedor AND credit_limit_cents IS NOT NULL
          OFFSET 0) a
     WHERE t_verdict[t.n] IS NULL
$$;
ALTER FUNCTION sale_claims OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sale_claims FROM PUBLIC;

-- Judge and record a batch of tickets of one banca: one call, one transaction, one round trip.
--
-- Takes   parallel arrays: t_* one entry per ticket, j_* one per jugada; k_* one per kind of counter that must be kept;
--         c_* one per capped counter: what the batch claims of it at most, and the least of its caps; g_* one per
--         limit that grows with the sales, or counts in single tickets; r_* one per rule, l_* one per limit that it
--         sets (for a number, in a scope), f_* one per fact: what a ticket (f_ticket) adds to what a limit (f_limit)
--         counts; f_unbound: the places of the facts that do not bind their ticket. References are 1-based. Keys are
--         distinct per actor inside a batch. Empty arrays are legal.
-- Gives   one row per ticket, in the order asked.
-- Locks   the draws by id → the accounts by id; everything else is read after that, in statements of their own, because
--         under READ COMMITTED a statement that locks sees of other rows what was true before it waited.
-- Knows   no commission, multiplier or restriction rule: prices and caps come in as facts.
-- Plans   are kept by connections that may first have run on empty tables. So every look-up is a LATERAL that OFFSET 0
--         keeps apart: by its whole key, ticket by ticket, whatever the statistics said when it was planned.
-- A refusal is a row, never an exception, and never touches its neighbours.
CREATE OR REPLACE FUNCTION sell_tickets(
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
    v_tickets CONSTANT integer := cardinality(t_id);
    v_at timestamptz;
    v_version bigint;
    v_event bigint;
    v_sales uuid;
    v_commissions uuid;
    v_verdict sale_verdict[];
    v_violations jsonb[];
    v_day date[];
    v_digits smallint[];
    v_sequence bigint[];
    v_sellers uuid[];
    v_nets bigint[];
    v_sold integer;
    -- Of each limit what its rule says; read only when the batch is tight.
    l_sorteo uuid[];
    l_scope text[];
    l_multiplier_key uuid[];
    l_cap bigint[];
    l_base bigint[];
    l_basis_points integer[];
    l_accumulates boolean[];
    -- What was locked, as it stands now: the draws, and the accounts.
    d_id uuid[];
    d_status sorteo_status[];
    d_active boolean[];
    d_scheduled timestamptz[];
    d_day date[];
    d_digits smallint[];
    d_last bigint[];
    a_id uuid[];
    a_balance bigint[];
    a_version bigint[];
    a_credit bigint[];
    v_is_tight boolean;
    -- Limits (> 0, by their place) and accounts (< 0, by their first ticket's place) that the batch over-claims.
    v_contested integer[];
    -- While the exact path judges: what was taken of each, and what its scope sold since; by slot + v_tickets + 1.
    v_taken bigint[] := '{}';
    v_sales_since bigint[] := '{}';
    v_slot integer;
    v_cap bigint;
    v_available bigint;
    v_claim record;
    v_short jsonb;
BEGIN
    IF v_tickets = 0 THEN
        RETURN;
    END IF;
    PERFORM set_config('app.banca_id', p_banca::text, true);

    -- Of the rows that it locks a statement does see what stands now.
    SELECT array_agg(s.id), array_agg(s.status), array_agg(s.is_active), array_agg(s.scheduled_at),
           array_agg(s.business_date), array_agg(s.digits), array_agg(s.last_sequence)
      INTO d_id, d_status, d_active, d_scheduled, d_day, d_digits, d_last
      FROM (SELECT id, status, is_active, scheduled_at, business_date, digits, last_sequence FROM sorteos
             WHERE banca_id = p_banca AND id = ANY (t_sorteo) ORDER BY id FOR NO KEY UPDATE) s;
    SELECT array_agg(a.id), array_agg(a.balance_cents), array_agg(a.credit_limit_cents)
      INTO a_id, a_balance, a_credit
      FROM (SELECT id, balance_cents, credit_limit_cents FROM accounts
             WHERE banca_id = p_banca AND id = ANY (t_vendedor) ORDER BY id FOR NO KEY UPDATE) a;

    v_at := date_trunc('milliseconds', clock_timestamp());
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        v_at := p_at;
    END IF;
    SELECT b.rulebook_version INTO v_version FROM bancas b WHERE b.id = p_banca;

    IF cardinality(k_sorteo) > 0 THEN
        PERFORM track_exposure(p_banca, k_sorteo, k_scope::exposure_scope[], k_scope_id, k_multiplier_key);
    END IF;

    -- Each ticket by itself, in order of precedence; null: nothing speaks against it yet.
    SELECT array_agg(x.verdict ORDER BY x.n), array_agg(x.day ORDER BY x.n), array_agg(x.digits ORDER BY x.n),
           array_agg(CASE WHEN x.verdict IN ('KNOWN', 'CLOSED', 'CUTOFF') THEN x.facts END ORDER BY x.n)
      INTO v_verdict, v_day, v_digits, v_violations
      FROM (
        SELECT t.n, s.day, s.digits,
               CASE
                   WHEN g.verdict IS NOT NULL THEN g.verdict::sale_verdict
                   WHEN k.outcome = 'TOMBSTONE' THEN 'CANCELLED_BEFORE_SALE'::sale_verdict
                   WHEN k.fingerprint = t.fingerprint THEN 'KNOWN'
                   WHEN k.key IS NOT NULL THEN 'MISMATCH'
                   WHEN a.balance IS NULL THEN 'SELLER_NOT_FOUND'
                   WHEN t.version <> v_version THEN 'STALE'
                   WHEN s.id IS NULL THEN 'SORTEO_NOT_FOUND'
                   WHEN s.status IN ('CLOSED', 'EVALUATED') THEN 'CLOSED'
                   WHEN s.status <> 'OPEN' OR NOT s.active THEN 'SORTEO_NOT_OPEN'
                   WHEN v_at >= s.scheduled - make_interval(secs => t.cutoff_s - 1) THEN 'CUTOFF'
                   WHEN v_at < t.valid_from OR v_at >= t.valid_until THEN 'STALE'
               END AS verdict,
               CASE
                   WHEN k.key IS NOT NULL THEN k.violations
                   WHEN s.status IN ('CLOSED', 'EVALUATED') THEN
                       jsonb_build_array(jsonb_build_object('code', 'SORTEO_CLOSED', 'status', s.status))
                   WHEN v_at >= s.scheduled - make_interval(secs => t.cutoff_s - 1) THEN
                       jsonb_build_array(jsonb_build_object(
                           'code', 'SALES_CUTOFF_REACHED', 'scheduledAt', s.scheduled,
                           'cutoffS', t.cutoff_s, 'at', v_at))
               END AS facts
          FROM unnest(t_sorteo, t_vendedor, t_actor, t_session, t_terminal, t_key_version, t_key,
                      t_fingerprint, t_version, t_cutoff_s, t_valid_from, t_valid_until) WITH ORDINALITY
               AS t (sorteo, vendedor, actor, session, terminal, key_version, key, fingerprint, version,
                     cutoff_s, valid_from, valid_until, n)
          LEFT JOIN LATERAL (
              SELECT verdict
                FROM actor_gate(p_banca, t.actor, t.vendedor, t.session, t.terminal, t.key_version, v_at)
              OFFSET 0) g ON true
          LEFT JOIN unnest(a_id, a_balance) AS a (id, balance) ON a.id = t.vendedor
          LEFT JOIN unnest(d_id, d_status, d_active, d_scheduled, d_day, d_digits)
               AS s (id, status, active, scheduled, day, digits) ON s.id = t.sorteo
          LEFT JOIN LATERAL (
              SELECT * FROM idempotency WHERE banca_id = p_banca AND actor_id = t.actor AND key = t.key
              OFFSET 0) k ON true
      ) x;

    -- Would all fit together, those that were judged already too, under the caps as they stand now? Then nothing is
    -- judged one by one. Of several limits on a counter the caller names the strictest.
    v_is_tight := EXISTS (
        SELECT FROM unnest(c_kind, c_number, c_claimed, c_cap) AS c (kind, number, claimed, cap)
          LEFT JOIN LATERAL (
              SELECT amount_cents FROM exposure
               WHERE banca_id = p_banca AND sorteo_id = k_sorteo[c.kind] AND scope_id = k_scope_id[c.kind]
                 AND multiplier_key = k_multiplier_key[c.kind] AND number = c.number
              OFFSET 0) e ON true
         WHERE c.claimed + coalesce(e.amount_cents, 0) > c.cap
    ) OR EXISTS (
        SELECT FROM unnest(g_kind, g_number, g_claimed, g_cap, g_base, g_basis_points, g_accumulates)
                    AS g (kind, number, claimed, cap, base, basis_points, accumulates)
          LEFT JOIN LATERAL (
              SELECT amount_cents FROM exposure
               WHERE g.accumulates AND banca_id = p_banca AND sorteo_id = k_sorteo[g.kind]
                 AND scope_id = k_scope_id[g.kind] AND multiplier_key = k_multiplier_key[g.kind] AND number = g.number
              OFFSET 0) e ON true
          LEFT JOIN LATERAL (
              SELECT amount_cents FROM exposure
               WHERE g.basis_points IS NOT NULL AND banca_id = p_banca AND sorteo_id = k_sorteo[g.kind]
                 AND scope_id = k_scope_id[g.kind] AND multiplier_key = c_nil AND number = -1
              OFFSET 0) w ON true
         WHERE g.claimed + coalesce(e.amount_cents, 0)
               > least(g.cap, greatest(g.base, coalesce(w.amount_cents, 0) * g.basis_points / 10000))
    ) OR EXISTS (
        SELECT FROM unnest(a_id, a_balance, a_credit) AS a (id, balance, credit)
          JOIN unnest(t_vendedor, t_total, t_seller_credit) AS t (vendedor, total, credit) ON t.vendedor = a.id
         WHERE a.credit IS NOT NULL
         GROUP BY a.id, a.balance, a.credit HAVING sum(t.total - t.credit) > a.balance + a.credit);

    IF v_is_tight THEN
        SELECT array_agg(r_sorteo[l.rule] ORDER BY l.n), array_agg(r_scope[l.rule] ORDER BY l.n),
               array_agg(r_multiplier_key[l.rule] ORDER BY l.n), array_agg(r_cap[l.rule] ORDER BY l.n),
               array_agg(r_base[l.rule] ORDER BY l.n), array_agg(r_basis_points[l.rule] ORDER BY l.n),
               array_agg(r_accumulates[l.rule] ORDER BY l.n)
          INTO l_sorteo, l_scope, l_multiplier_key, l_cap, l_base, l_basis_points, l_accumulates
          FROM unnest(l_rule) WITH ORDINALITY AS l (rule, n);
        SELECT array_agg(c.slot) INTO v_contested
          FROM (SELECT coalesce(c.limit_at, -array_position(t_vendedor, t_vendedor[c.ticket])) AS slot
                  FROM sale_claims(p_banca, t_sorteo, t_vendedor, t_total, t_seller_credit, v_verdict,
                                   l_scope_id, l_multiplier_key, l_number, l_cap, l_base, l_basis_points,
                                   l_accumulates, l_sorteo, f_ticket, f_limit, f_amount, f_unbound) c
                 GROUP BY 1, CASE WHEN NOT c.accumulates THEN c.ticket END
                HAVING sum(c.amount) + min(c.used)
                       > least(min(c.ceiling), greatest(min(c.floor), min(c.sales) * min(c.basis_points) / 10000))) c;
    END IF;

    IF v_contested IS NOT NULL THEN
        -- Set aside first those that cannot pass whatever the others do; of the rest, only tickets that share an
        -- over-claimed resource are judged one by one, each seeing what the ones before it took. A dynamic cap grows
        -- with its scope's sales, so every ticket that adds to them comes along.
        FOR v_claim IN
            WITH claim AS (
                SELECT c.*, coalesce(c.limit_at, -array_position(t_vendedor, t_vendedor[c.ticket])) AS slot,
                       -- A limit without a static cap is never hopeless: its cap may grow before this ticket's turn.
                       coalesce(bool_or(c.amount + c.used > c.ceiling) OVER (PARTITION BY c.ticket), false) AS hopeless
                  FROM sale_claims(p_banca, t_sorteo, t_vendedor, t_total, t_seller_credit, v_verdict,
                                   l_scope_id, l_multiplier_key, l_number, l_cap, l_base, l_basis_points,
                                   l_accumulates, l_sorteo, f_ticket, f_limit, f_amount, f_unbound) c
            ), sale AS (
                SELECT t.n::integer AS ticket, l.n::integer AS slot, t.total AS amount
                  FROM unnest(l_sorteo, l_scope, l_scope_id, l_basis_points) WITH ORDINALITY
                       AS l (sorteo, scope, scope_id, basis_points, n)
                  JOIN unnest(t_sorteo, t_vendedor, t_ventana, t_total, v_verdict) WITH ORDINALITY
                       AS t (sorteo, vendedor, ventana, total, verdict, n)
                    ON t.sorteo = l.sorteo AND t.verdict IS NULL
                       AND l.scope_id = CASE l.scope WHEN 'BANCA' THEN p_banca WHEN 'VENTANA' THEN t.ventana
                                                     ELSE t.vendedor END
                 WHERE l.basis_points IS NOT NULL AND l.n = ANY (v_contested)
            ), step AS (
                SELECT c.ticket, c.hopeless, c.kind, c.slot, c.amount, c.ceiling, c.floor, c.basis_points, c.used,
                       c.sales, c.accumulates, c.fact_at
                  FROM claim c
                 -- The hopeless are told all that they lacked when the batch began.
                 WHERE CASE WHEN c.hopeless
                            THEN c.amount + c.used
                                 > least(c.ceiling, greatest(c.floor, c.sales * c.basis_points / 10000))
                            ELSE c.slot = ANY (v_contested) END
                UNION ALL
                SELECT s.ticket, false, 'SALES', s.slot, s.amount, NULL, NULL, NULL, 0, 0, true, NULL
                  FROM sale s WHERE NOT EXISTS (SELECT FROM claim c WHERE c.ticket = s.ticket AND c.hopeless)
            )
            SELECT w.ticket, w.hopeless, array_agg(w.kind) AS kinds, array_agg(w.slot) AS slots,
                   array_agg(w.amount) AS amounts, array_agg(w.ceiling) AS ceilings, array_agg(w.floor) AS floors,
                   array_agg(w.basis_points) AS basis_points, array_agg(w.used) AS useds, array_agg(w.sales) AS sales,
                   array_agg(w.accumulates) AS accumulates
              -- In the order of the facts, limits before funds: the first violation names the refusal, as the verdict does.
              FROM (SELECT * FROM step ORDER BY ticket, kind DESC, fact_at) w
             GROUP BY w.ticket, w.hopeless ORDER BY w.ticket
        LOOP
            v_short := NULL;
            FOR i IN 1 .. cardinality(v_claim.slots) LOOP
                CONTINUE WHEN v_claim.kinds[i] = 'SALES';
                v_slot := v_claim.slots[i] + v_tickets + 1;
                v_cap := least(v_claim.ceilings[i], greatest(
                    v_claim.floors[i],
                    (v_claim.sales[i] + CASE WHEN v_claim.hopeless THEN 0 ELSE coalesce(v_sales_since[v_slot], 0) END)
                    * v_claim.basis_points[i] / 10000));
                v_available := v_cap - v_claim.useds[i] - CASE WHEN v_claim.accumulates[i] AND NOT v_claim.hopeless
                                                               THEN coalesce(v_taken[v_slot], 0) ELSE 0 END;
                IF v_claim.amounts[i] > v_available THEN
                    v_short := coalesce(v_short, '[]') || jsonb_strip_nulls(jsonb_build_object(
                        'code', CASE v_claim.kinds[i] WHEN 'FUNDS' THEN 'INSUFFICIENT_FUNDS'
                                                      ELSE r_code[l_rule[v_claim.slots[i]]] END,
                        'scope', l_scope[v_claim.slots[i]], 'label', r_label[l_rule[v_claim.slots[i]]]::jsonb,
                        'accumulates', l_accumulates[v_claim.slots[i]],
                        'number', lpad(nullif(l_number[v_claim.slots[i]], -1)::text, v_digits[v_claim.ticket], '0'),
                        'amountCents', v_claim.amounts[i],
                        'capCents', CASE WHEN v_claim.kinds[i] = 'LIMIT' THEN v_cap END,
                        'availableCents', greatest(v_available, 0)));
                END IF;
            END LOOP;
            IF v_short IS NULL THEN
                FOR i IN 1 .. cardinality(v_claim.slots) LOOP
                    v_slot := v_claim.slots[i] + v_tickets + 1;
                    IF v_claim.kinds[i] = 'SALES' THEN
                        v_sales_since[v_slot] := coalesce(v_sales_since[v_slot], 0) + v_claim.amounts[i];
                    ELSIF v_claim.accumulates[i] THEN
                        v_taken[v_slot] := coalesce(v_taken[v_slot], 0) + v_claim.amounts[i];
                    END IF;
                END LOOP;
            ELSE
                v_verdict[v_claim.ticket] :=
                    CASE WHEN v_short -> 0 ->> 'code' = 'INSUFFICIENT_FUNDS' THEN 'NO_FUNDS' ELSE 'SOLD_OUT' END;
                v_violations[v_claim.ticket] := v_short;
            END IF;
        END LOOP;
    END IF;

    -- Everything that is still unjudged is sold. Sequences run without a gap, draw by draw, in order of arrival.
    SELECT array_agg(coalesce(x.verdict, 'SOLD') ORDER BY x.n), array_agg(x.sequence ORDER BY x.n),
           count(x.sequence)
      INTO v_verdict, v_sequence, v_sold
      FROM (SELECT t.n, t.verdict,
                   CASE WHEN t.verdict IS NULL THEN s.last
                        + row_number() OVER (PARTITION BY t.sorteo, t.verdict IS NULL ORDER BY t.n) END AS sequence
              FROM unnest(t_sorteo, v_verdict) WITH ORDINALITY AS t (sorteo, verdict, n)
              LEFT JOIN unnest(d_id, d_last) AS s (id, last) ON s.id = t.sorteo) x;

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

        SELECT array_agg(x.vendedor), array_agg(x.net) INTO v_sellers, v_nets
          FROM (SELECT t.vendedor, sum(t.total - t.credit)::bigint AS net
                  FROM unnest(t_vendedor, t_total, t_seller_credit, v_sequence)
                       AS t (vendedor, total, credit, sequence)
                 WHERE t.sequence IS NOT NULL GROUP BY t.vendedor) x;
        WITH moved AS (
            UPDATE accounts
               SET balance_cents = balance_cents - v_nets[array_position(v_sellers, id)],
                   balance_version = balance_version + 1
             WHERE banca_id = p_banca AND id = ANY (v_sellers)
            RETURNING id, balance_cents, balance_version)
        SELECT array_agg(id), array_agg(balance_cents), array_agg(balance_version)
          INTO a_id, a_balance, a_version FROM moved;

        INSERT INTO exposure AS e (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents)
        SELECT p_banca, m.sorteo_id, m.scope, m.scope_id, m.multiplier_key, m.number, m.amount_cents
          FROM (SELECT array_agg(t_sorteo[j.ticket]) AS sorteo, array_agg(t_ventana[j.ticket]) AS ventana,
                       array_agg(t_vendedor[j.ticket]) AS vendedor, array_agg(j.number) AS number,
                       array_agg(j.reventado) AS reventado, array_agg(j.multiplier) AS multiplier,
                       array_agg(j.amount) AS amount
                  FROM unnest(j_ticket, j_number, j_reventado, j_multiplier, j_amount)
                       AS j (ticket, number, reventado, multiplier, amount)
                 WHERE v_sequence[j.ticket] IS NOT NULL) j
         CROSS JOIN LATERAL exposure_moves(p_banca, j.sorteo, j.ventana, j.vendedor, j.number, j.reventado,
                                           j.multiplier, j.amount) m
        ON CONFLICT (banca_id, sorteo_id, scope_id, multiplier_key, number)
        DO UPDATE SET amount_cents = e.amount_cents + excluded.amount_cents;

        SELECT array_agg(x.sorteo), array_agg(x.last) INTO d_id, d_last
          FROM (SELECT t.sorteo, max(t.sequence) AS last
                  FROM unnest(t_sorteo, v_sequence) AS t (sorteo, sequence)
                 WHERE t.sequence IS NOT NULL GROUP BY t.sorteo) x;
        UPDATE sorteos SET last_sequence = d_last[array_position(d_id, id)]
         WHERE banca_id = p_banca AND id = ANY (d_id);

        INSERT INTO outbox (id, banca_id, type, payload, created_at)
        SELECT v_event, p_banca, 'tickets.sold', json_build_object(
                   'at', v_at, 'rulebookVersion', v_version,
                   'sorteos', (SELECT json_agg(json_build_object('sorteoId', r.sorteo, 'from', r.first, 'to', r.last))
                                 FROM (SELECT q.sorteo, min(q.sequence) AS first, max(q.sequence) AS last
                                         FROM unnest(t_sorteo, v_sequence) AS q (sorteo, sequence)
                                        WHERE q.sequence IS NOT NULL GROUP BY q.sorteo ORDER BY q.sorteo) r),
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
        banca_id, actor_id, key, fingerprint, outcome, business_date, sorteo_id, sequence, violations, created_at)
    SELECT p_banca, t.actor, t.key, t.fingerprint,
           CASE t.verdict WHEN 'SOLD' THEN 'SOLD' WHEN 'SOLD_OUT' THEN 'SOLD_OUT' WHEN 'NO_FUNDS' THEN 'NO_FUNDS'
                          ELSE 'CLOSED' END::idempotency_outcome,
           t.day, t.sorteo, t.sequence, v_violations[t.n], v_at
      FROM unnest(t_actor, t_key, t_fingerprint, v_verdict, v_day, t_sorteo, v_sequence) WITH ORDINALITY
           AS t (actor, key, fingerprint, verdict, day, sorteo, sequence, n)
     WHERE t.verdict IN ('SOLD', 'SOLD_OUT', 'NO_FUNDS', 'CLOSED', 'CUTOFF');

    RETURN QUERY
    SELECT t.n::integer, t.verdict::text, k.outcome::text,
           coalesce(t.day, k.business_date), coalesce(k.sorteo_id, t.sorteo), coalesce(t.sequence, k.sequence),
           coalesce(k.created_at, v_at), v_violations[t.n], a.balance, a.version
      FROM unnest(v_verdict, v_day, t_sorteo, v_sequence, t_vendedor, t_actor, t_key) WITH ORDINALITY
           AS t (verdict, day, sorteo, sequence, vendedor, actor, key, n)
      LEFT JOIN unnest(a_id, a_balance, a_version) AS a (id, balance, version)
        ON a.id = t.vendedor AND t.verdict = 'SOLD'
      LEFT JOIN LATERAL (
          SELECT * FROM idempotency
           WHERE banca_id = p_banca AND actor_id = t.actor AND key = t.key AND t.verdict = 'KNOWN' OFFSET 0) k ON true
     ORDER BY t.n;
END $$;

ALTER FUNCTION sell_tickets OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sell_tickets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sell_tickets TO banca_api;
