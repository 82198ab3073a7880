-- What the unjudged tickets of a batch claim: of counters (one row per fact) and of accounts (one per ticket with a
-- credit limit), each with what was available when the batch began.
CREATE OR REPLACE FUNCTION sale_claims(
    p_banca uuid, t_sorteo uuid[], t_vendedor uuid[], t_total bigint[], t_seller_credit bigint[],
    t_verdict sale_verdict[], f_ticket integer[], f_scope text[], f_scope_id uuid[], f_multiplier_key uuid[],
    f_number smallint[], f_amount bigint[], f_cap bigint[]
) RETURNS TABLE (
    ticket integer, kind text, sorteo uuid, scope text, scope_id uuid, multiplier_key uuid, number smallint,
    cap bigint, amount bigint, available bigint
)
LANGUAGE sql STABLE
AS $$
    SELECT f.ticket, 'NUMBER_MAXTOTAL_EXCEEDED', t_sorteo[f.ticket], f.scope, f.scope_id, f.multiplier_key, f.number,
           f.cap, f.amount, f.cap - coalesce(e.amount_cents, 0)
      FROM unnest(f_ticket, f_scope, f_scope_id, f_multiplier_key, f_number, f_amount, f_cap)
           AS f (ticket, scope, scope_id, multiplier_key, number, amount, cap)
      LEFT JOIN LATERAL (
          SELECT amount_cents FROM exposure
           WHERE banca_id = p_banca AND sorteo_id = t_sorteo[f.ticket] AND scope = f.scope::exposure_scope
             AND scope_id = f.scope_id AND multiplier_key = f.multiplier_key AND number = f.number
          OFFSET 0) e ON true
     WHERE t_verdict[f.ticket] IS NULL
    UNION ALL
    SELECT t.n::integer, 'INSUFFICIENT_FUNDS', NULL, NULL, t.vendedor, NULL, NULL,
           NULL, t.total - t.credit, a.available
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
-- Takes   parallel arrays: t_* one entry per ticket, j_* one per jugada, f_* one per limit fact; j_ticket and
--         f_ticket point at tickets (1-based). Keys are distinct per actor inside a batch. Empty arrays are legal.
-- Gives   one row per ticket, in the order asked.
-- Locks   the draws by id → the accounts by id; everything is read after that, in statements of their own, because
--         under READ COMMITTED a statement that locks and reads sees what was true before it waited.
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
    t_cutoff_s integer[], t_valid_from timestamptz[], t_valid_until timestamptz[],
    j_ticket integer[], j_line smallint[], j_number smallint[], j_reventado boolean[], j_amount bigint[],
    j_multiplier uuid[], j_x integer[], j_basis_points integer[], j_commission bigint[], j_origin smallint[],
    j_rule text[], j_listero bigint[],
    f_ticket integer[], f_scope text[], f_scope_id uuid[], f_multiplier_key uuid[], f_number smallint[],
    f_amount bigint[], f_cap bigint[],
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    pos integer, outcome text, recorded text, business_date date, sorteo_id uuid, sequence bigint,
    at timestamptz, violations jsonb, balance_cents bigint, balance_version bigint
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
-- Statistics of a fresh or emptied table must never make the plan scan it.
SET enable_seqscan = off
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
    v_fits boolean;
    v_sellers uuid[];
    v_nets bigint[];
    v_draws uuid[];
    v_lasts bigint[];
    v_sold integer;
    -- What is left of each contested counter or account, by its slot, while the exact path judges.
    v_left bigint[] := '{}';
    v_available bigint;
    v_claim record;
    v_short jsonb;
BEGIN
    IF v_tickets = 0 THEN
        RETURN;
    END IF;
    PERFORM set_config('app.banca_id', p_banca::text, true);

    PERFORM 1 FROM sorteos s WHERE s.banca_id = p_banca AND s.id = ANY (t_sorteo)
      ORDER BY s.id FOR NO KEY UPDATE;
    PERFORM 1 FROM accounts a WHERE a.banca_id = p_banca AND a.id = ANY (t_vendedor)
      ORDER BY a.id FOR NO KEY UPDATE;

    v_at := date_trunc('milliseconds', clock_timestamp());
    -- Only where the owner says so, in a table that nobody else writes.
    IF p_at IS NOT NULL AND (SELECT i.test_clock FROM instance i) THEN
        v_at := p_at;
    END IF;
    SELECT b.rulebook_version INTO v_version FROM bancas b WHERE b.id = p_banca;

    -- Each ticket by itself, in order of precedence; null: nothing speaks against it yet.
    SELECT array_agg(x.verdict ORDER BY x.n), array_agg(x.day ORDER BY x.n), array_agg(x.digits ORDER BY x.n),
           array_agg(CASE WHEN x.verdict IN ('KNOWN', 'CLOSED', 'CUTOFF') THEN x.facts END ORDER BY x.n)
      INTO v_verdict, v_day, v_digits, v_violations
      FROM (
        SELECT t.n, s.business_date AS day, s.digits,
               CASE
                   WHEN g.verdict IS NOT NULL THEN g.verdict::sale_verdict
                   WHEN k.outcome = 'TOMBSTONE' THEN 'CANCELLED_BEFORE_SALE'::sale_verdict
                   WHEN k.fingerprint = t.fingerprint THEN 'KNOWN'
                   WHEN k.key IS NOT NULL THEN 'MISMATCH'
                   WHEN a.balance_cents IS NULL THEN 'SELLER_NOT_FOUND'
                   WHEN t.version <> v_version THEN 'STALE'
                   WHEN s.id IS NULL THEN 'SORTEO_NOT_FOUND'
                   WHEN s.status IN ('CLOSED', 'EVALUATED') THEN 'CLOSED'
                   WHEN s.status <> 'OPEN' OR NOT s.is_active THEN 'SORTEO_NOT_OPEN'
                   WHEN v_at >= s.scheduled_at - make_interval(secs => t.cutoff_s - 1) THEN 'CUTOFF'
                   WHEN v_at < t.valid_from OR v_at >= t.valid_until THEN 'STALE'
               END AS verdict,
               CASE
                   WHEN k.key IS NOT NULL THEN k.violations
                   WHEN s.status IN ('CLOSED', 'EVALUATED') THEN
                       jsonb_build_array(jsonb_build_object('code', 'SORTEO_CLOSED', 'status', s.status))
                   WHEN v_at >= s.scheduled_at - make_interval(secs => t.cutoff_s - 1) THEN
                       jsonb_build_array(jsonb_build_object(
                           'code', 'SALES_CUTOFF_REACHED', 'scheduledAt', s.scheduled_at,
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
          LEFT JOIN LATERAL (
              SELECT balance_cents FROM accounts WHERE banca_id = p_banca AND id = t.vendedor OFFSET 0) a ON true
          LEFT JOIN LATERAL (
              SELECT * FROM sorteos WHERE banca_id = p_banca AND id = t.sorteo OFFSET 0) s ON true
          LEFT JOIN LATERAL (
              SELECT * FROM idempotency WHERE banca_id = p_banca AND actor_id = t.actor AND key = t.key
              OFFSET 0) k ON true
      ) x;

    -- Does all that is left fit together? Then nothing needs to be judged one by one.
    SELECT NOT EXISTS (
        SELECT 1
          FROM sale_claims(p_banca, t_sorteo, t_vendedor, t_total, t_seller_credit, v_verdict,
                           f_ticket, f_scope, f_scope_id, f_multiplier_key, f_number, f_amount, f_cap) c
         GROUP BY c.kind, c.sorteo, c.scope, c.scope_id, c.multiplier_key, c.number, c.cap
        HAVING sum(c.amount) > min(c.available))
      INTO v_fits;

    IF NOT v_fits THEN
        -- What each ticket claims of each counter and account. Set aside first those that cannot pass whatever the
        -- others do; of the rest, only tickets that share an over-claimed resource are judged one by one, each
        -- seeing what the ones before it took.
        FOR v_claim IN
            WITH claim AS (
                SELECT c.*, bool_or(c.amount > c.available) OVER (PARTITION BY c.ticket) AS hopeless
                  FROM sale_claims(p_banca, t_sorteo, t_vendedor, t_total, t_seller_credit, v_verdict,
                                   f_ticket, f_scope, f_scope_id, f_multiplier_key, f_number, f_amount, f_cap) c
            ), wanted AS (
                SELECT c.*, sum(c.amount) FILTER (WHERE NOT c.hopeless) OVER resource AS amount_wanted,
                       dense_rank() OVER (ORDER BY c.kind, c.sorteo, c.scope, c.scope_id, c.multiplier_key, c.number,
                                          c.cap) AS slot
                  FROM claim c
                WINDOW resource AS (PARTITION BY c.kind, c.sorteo, c.scope, c.scope_id, c.multiplier_key, c.number,
                                    c.cap)
            )
            SELECT w.ticket, w.hopeless, array_agg(w.slot) AS slots, array_agg(w.amount) AS amounts,
                   array_agg(w.available) AS availables, array_agg(w.kind) AS kinds, array_agg(w.number) AS numbers,
                   array_agg(w.scope) AS scopes, array_agg(w.cap) AS caps
              -- Numbers before funds: the first violation names the refusal, as the verdict does.
              FROM (SELECT * FROM wanted ORDER BY ticket, kind DESC, number) w
             WHERE CASE WHEN w.hopeless THEN w.amount > w.available ELSE w.amount_wanted > w.available END
             GROUP BY w.ticket, w.hopeless ORDER BY w.ticket
        LOOP
            v_short := NULL;
            FOR i IN 1 .. cardinality(v_claim.slots) LOOP
                v_available := v_claim.availables[i];
                IF NOT v_claim.hopeless THEN
                    v_available := coalesce(v_left[v_claim.slots[i]], v_available);
                END IF;
                IF v_claim.amounts[i] > v_available OR v_claim.hopeless THEN
                    v_short := coalesce(v_short, '[]') || jsonb_strip_nulls(jsonb_build_object(
                        'code', v_claim.kinds[i], 'scope', v_claim.scopes[i],
                        'number', lpad(v_claim.numbers[i]::text, v_digits[v_claim.ticket], '0'),
                        'amountCents', v_claim.amounts[i], 'capCents', v_claim.caps[i],
                        'availableCents', greatest(v_available, 0)));
                END IF;
            END LOOP;
            IF v_short IS NULL THEN
                FOR i IN 1 .. cardinality(v_claim.slots) LOOP
                    v_left[v_claim.slots[i]] :=
                        coalesce(v_left[v_claim.slots[i]], v_claim.availables[i]) - v_claim.amounts[i];
                END LOOP;
            ELSE
                v_verdict[v_claim.ticket] :=
                    CASE WHEN v_short @> '[{"code": "NUMBER_MAXTOTAL_EXCEEDED"}]' THEN 'SOLD_OUT' ELSE 'NO_FUNDS' END;
                v_violations[v_claim.ticket] := v_short;
            END IF;
        END LOOP;
    END IF;

    -- Everything that is still unjudged is sold. Sequences run without a gap, draw by draw, in order of arrival.
    SELECT array_agg(coalesce(x.verdict, 'SOLD') ORDER BY x.n), array_agg(x.sequence ORDER BY x.n),
           count(x.sequence)
      INTO v_verdict, v_sequence, v_sold
      FROM (SELECT t.n, t.verdict,
                   CASE WHEN t.verdict IS NULL THEN s.last_sequence
                        + row_number() OVER (PARTITION BY t.sorteo, t.verdict IS NULL ORDER BY t.n) END AS sequence
              FROM unnest(t_sorteo, v_verdict) WITH ORDINALITY AS t (sorteo, verdict, n)
              LEFT JOIN LATERAL (
                  SELECT last_sequence FROM sorteos WHERE banca_id = p_banca AND id = t.sorteo OFFSET 0) s ON true) x;

    IF v_sold > 0 THEN
        v_event := nextval('outbox_id');
        SELECT a.id INTO STRICT v_sales FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'SALES';
        SELECT a.id INTO STRICT v_commissions FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'COMMISSIONS';

        INSERT INTO tickets (
            banca_id, business_date, sorteo_id, sequence, id, event_id, rulebook_version, ventana_id, vendedor_id,
            created_by, created_by_role, terminal_id, total_cents, commission_cents, seller_credit_cents,
            listero_commission_cents, cliente_nombre, created_at)
        SELECT p_banca, t.day, t.sorteo, t.sequence, t.id, v_event, t.version, t.ventana, t.vendedor,
               t.actor, t.role::user_role, t.terminal, t.total, t.commission, t.credit, t.listero, t.cliente, v_at
          FROM unnest(v_day, t_sorteo, v_sequence, t_id, t_version, t_ventana, t_vendedor, t_actor, t_actor_role,
                      t_terminal, t_total, t_commission, t_seller_credit, t_listero, t_cliente)
               AS t (day, sorteo, sequence, id, version, ventana, vendedor, actor, role, terminal, total,
                     commission, credit, listero, cliente)
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
        UPDATE accounts
           SET balance_cents = balance_cents - v_nets[array_position(v_sellers, id)],
               balance_version = balance_version + 1
         WHERE banca_id = p_banca AND id = ANY (v_sellers);

        INSERT INTO exposure AS e (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents)
        SELECT p_banca, t_sorteo[j.ticket], 'BANCA', p_banca, c_nil, j.number, sum(j.amount)
          FROM unnest(j_ticket, j_number, j_amount) AS j (ticket, number, amount)
         WHERE v_sequence[j.ticket] IS NOT NULL
         GROUP BY t_sorteo[j.ticket], j.number
        ON CONFLICT (banca_id, sorteo_id, scope, scope_id, multiplier_key, number)
        DO UPDATE SET amount_cents = e.amount_cents + excluded.amount_cents;

        SELECT array_agg(x.sorteo), array_agg(x.last) INTO v_draws, v_lasts
          FROM (SELECT t.sorteo, max(t.sequence) AS last
                  FROM unnest(t_sorteo, v_sequence) AS t (sorteo, sequence)
                 WHERE t.sequence IS NOT NULL GROUP BY t.sorteo) x;
        UPDATE sorteos SET last_sequence = v_lasts[array_position(v_draws, id)]
         WHERE banca_id = p_banca AND id = ANY (v_draws);

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
           coalesce(k.created_at, v_at), v_violations[t.n], a.balance_cents, a.balance_version
      FROM unnest(v_verdict, v_day, t_sorteo, v_sequence, t_vendedor, t_actor, t_key) WITH ORDINALITY
           AS t (verdict, day, sorteo, sequence, vendedor, actor, key, n)
      LEFT JOIN LATERAL (
          SELECT balance_cents, balance_version FROM accounts
           WHERE banca_id = p_banca AND id = t.vendedor AND t.verdict = 'SOLD' OFFSET 0) a ON true
      LEFT JOIN LATERAL (
          SELECT * FROM idempotency
           WHERE banca_id = p_banca AND actor_id = t.actor AND key = t.key AND t.verdict = 'KNOWN' OFFSET 0) k ON true
     ORDER BY t.n;
END $$;

ALTER FUNCTION sell_tickets OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sell_tickets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sell_tickets TO banca_api;
