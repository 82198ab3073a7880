-- With other parameters a function is another one; both at once would be called by neither name.
DROP FUNCTION IF EXISTS judge_tight_sales;

-- Judge one by one the tickets of a batch that together claim more than a limit or an account has left.
--
-- Takes   of each ticket (t_*) what sell_tickets knows, its verdict null while nothing speaks against it; of each
--         locked account (a_*) what stands in it and how far below zero it may go (null: without end); rules, limits
--         and facts (r_*, l_*, f_*, f_unbound) as sell_tickets takes them. References are 1-based. h_*: what each ticket
--         adds to what each of its numbers may cost, as payout_claims gives it; p_payout_max: the bound of that.
-- Gives   verdicts and violations of all tickets, those of the refused ones entered.
-- Needs   the draws' and the accounts' locks: called by sell_tickets alone, under its settings.
--
-- Those that cannot pass whatever the others do are set aside first. Of the rest only tickets that share an
-- over-claimed resource are looked at, each seeing what the ones before it took; a dynamic cap grows with its scope's
-- sales, so every ticket that adds to them comes along.
CREATE FUNCTION judge_tight_sales(
    p_banca uuid, t_sorteo uuid[], t_vendedor uuid[], t_ventana uuid[], t_total bigint[], t_seller_credit bigint[],
    t_digits smallint[], t_verdict sale_verdict[], t_violations jsonb[],
    a_id uuid[], a_balance bigint[], a_credit bigint[],
    r_sorteo uuid[], r_scope text[], r_multiplier_key uuid[], r_cap bigint[], r_base bigint[], r_basis_points integer[],
    r_accumulates boolean[], r_code text[], r_label text[],
    l_rule integer[], l_scope_id uuid[], l_number smallint[],
    f_ticket integer[], f_limit integer[], f_amount bigint[], f_unbound integer[],
    h_ticket integer[], h_number smallint[], h_amount bigint[], h_used bigint[], p_payout_max bigint,
    OUT verdicts sale_verdict[], OUT violations jsonb[]
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    c_tickets CONSTANT integer := cardinality(t_sorteo);
    -- What was taken of each resource, and what its scope sold since; by slot + c_tickets + 1.
    v_taken bigint[] := '{}';
    v_sales_since bigint[] := '{}';
    v_slot integer;
    v_rule integer;
    v_cap bigint;
    v_available bigint;
    v_claim record;
    v_short jsonb;
BEGIN
    verdicts := t_verdict;
    violations := t_violations;
    FOR v_claim IN
        -- A slot names what is claimed: a limit by its place (> 0), an account by its first ticket's (< 0), what a draw's
        -- number may cost by a place below all tickets'.
        WITH stand AS (
            -- Of each limit what its rule says, what it counted before the batch (where it accumulates: a limit per
            -- ticket compares the amount alone) and what its scope sold (where it grows with that).
            SELECT l.n, l.rule, l.scope_id, r_sorteo[l.rule] AS sorteo, r_scope[l.rule] AS scope, r_cap[l.rule] AS cap,
                   r_base[l.rule] AS base, r_basis_points[l.rule] AS basis_points,
                   r_accumulates[l.rule] AS accumulates,
                   CASE WHEN r_accumulates[l.rule] THEN coalesce(e.amount_cents, 0) ELSE 0 END AS used,
                   coalesce(w.amount_cents, 0) AS sales
              FROM unnest(l_rule, l_scope_id, l_number) WITH ORDINALITY AS l (rule, scope_id, number, n)
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE banca_id = p_banca AND sorteo_id = r_sorteo[l.rule] AND scope_id = l.scope_id
                     AND multiplier_key = r_multiplier_key[l.rule] AND number = l.number
                  OFFSET 0) e ON true
              LEFT JOIN LATERAL (
                  SELECT amount_cents FROM exposure
                   WHERE r_basis_points[l.rule] IS NOT NULL
                     AND banca_id = p_banca AND sorteo_id = r_sorteo[l.rule] AND scope_id = l.scope_id
                     AND multiplier_key = '00000000-0000-0000-0000-000000000000'
                     AND number = -1
                  OFFSET 0) w ON true
        ), claim AS (
            -- A limit's fact that does not bind has neither ceiling nor floor: its ticket passes, and counts for
            -- those after it. fact_at is the fact's place: violations are answered in the rules' order.
            SELECT f.ticket, s.n::integer AS slot, 'LIMIT' AS kind, f.amount,
                   CASE WHEN f.n <> ALL (f_unbound) THEN s.cap END AS ceiling,
                   CASE WHEN f.n <> ALL (f_unbound) THEN s.base END AS floor,
                   CASE WHEN f.n <> ALL (f_unbound) THEN s.basis_points END AS basis_points,
                   s.used, s.sales, s.accumulates, f.n AS fact_at
              FROM stand s
              JOIN unnest(f_ticket, f_limit, f_amount) WITH ORDINALITY AS f (ticket, limit_at, amount, n)
                ON f.limit_at = s.n
             WHERE t_verdict[f.ticket] IS NULL
            UNION ALL
            SELECT t.n::integer, -array_position(t_vendedor, t.vendedor), 'FUNDS', t.total - t.credit,
                   a.balance + a.credit, NULL, NULL, 0, 0, true, NULL
              FROM unnest(t_vendedor, t_total, t_seller_credit) WITH ORDINALITY AS t (vendedor, total, credit, n)
              JOIN unnest(a_id, a_balance, a_credit) AS a (id, balance, credit) ON a.id = t.vendedor
             WHERE a.credit IS NOT NULL AND t_verdict[t.n] IS NULL
            UNION ALL
            SELECT h.ticket,
                   (-c_tickets - dense_rank() OVER (ORDER BY t_sorteo[h.ticket], h.number))::integer, 'LIABILITY',
                   h.amount, p_payout_max, NULL, NULL, h.used, 0, true, h.n
              FROM unnest(h_ticket, h_number, h_amount, h_used) WITH ORDINALITY AS h (ticket, number, amount, used, n)
             WHERE t_verdict[h.ticket] IS NULL
        ), contested AS (
            SELECT slot FROM claim
             GROUP BY slot, CASE WHEN NOT accumulates THEN ticket END
            HAVING sum(amount) + min(used)
                   > least(min(ceiling), greatest(min(floor), div(min(sales)::numeric * min(basis_points), 10000)))
        ), judged AS (
            -- A limit without a static cap is never hopeless: its cap may grow before this ticket's turn.
            SELECT *, coalesce(bool_or(amount + used > ceiling) OVER (PARTITION BY ticket), false) AS hopeless FROM claim
        ), sale AS (
            SELECT t.n::integer AS ticket, s.n::integer AS slot, t.total AS amount
              FROM stand s
              JOIN unnest(t_sorteo, t_vendedor, t_ventana, t_total, t_verdict) WITH ORDINALITY
                   AS t (sorteo, vendedor, ventana, total, verdict, n)
                ON t.sorteo = s.sorteo AND t.verdict IS NULL
                   AND s.scope_id = CASE s.scope WHEN 'BANCA' THEN p_banca WHEN 'VENTANA' THEN t.ventana
                                                 ELSE t.vendedor END
             WHERE s.basis_points IS NOT NULL AND s.n IN (SELECT slot FROM contested)
        ), step AS (
            SELECT * FROM judged c
             -- The hopeless are told all that they lacked when the batch began.
             WHERE CASE WHEN c.hopeless
                        THEN c.amount + c.used
                             > least(c.ceiling, greatest(c.floor, div(c.sales::numeric * c.basis_points, 10000)))
                        ELSE c.slot IN (SELECT slot FROM contested) END
            UNION ALL
            SELECT s.ticket, s.slot, 'SALES', s.amount, NULL, NULL, NULL, 0, 0, true, NULL, false
              FROM sale s WHERE NOT EXISTS (SELECT FROM judged c WHERE c.ticket = s.ticket AND c.hopeless)
        )
        SELECT w.ticket, w.hopeless, array_agg(w.kind) AS kinds, array_agg(w.slot) AS slots,
               array_agg(w.amount) AS amounts, array_agg(w.ceiling) AS ceilings, array_agg(w.floor) AS floors,
               array_agg(w.basis_points) AS basis_points, array_agg(w.used) AS useds, array_agg(w.sales) AS sales,
               array_agg(w.accumulates) AS accumulates, array_agg(w.fact_at) AS facts_at
          -- In the order of the facts, limits before what a number may cost, and funds last: the first violation names the
          -- refusal, as the verdict does.
          FROM (SELECT * FROM step ORDER BY ticket, kind DESC, fact_at) w
         GROUP BY w.ticket, w.hopeless ORDER BY w.ticket
    LOOP
        v_short := NULL;
        FOR i IN 1 .. cardinality(v_claim.slots) LOOP
            CONTINUE WHEN v_claim.kinds[i] = 'SALES';
            v_slot := v_claim.slots[i] + c_tickets + 1;
            v_cap := least(v_claim.ceilings[i], greatest(
                v_claim.floors[i],
                div((v_claim.sales[i] + CASE WHEN v_claim.hopeless THEN 0 ELSE coalesce(v_sales_since[v_slot], 0) END)
                    ::numeric * v_claim.basis_points[i], 10000)));
            v_available := v_cap - v_claim.useds[i] - CASE WHEN v_claim.accumulates[i] AND NOT v_claim.hopeless
                                                           THEN coalesce(v_taken[v_slot], 0) ELSE 0 END;
            IF v_claim.amounts[i] > v_available THEN
                v_rule := l_rule[v_claim.slots[i]];
                v_short := coalesce(v_short, '[]') || jsonb_strip_nulls(jsonb_build_object(
                    'code', CASE v_claim.kinds[i] WHEN 'FUNDS' THEN 'INSUFFICIENT_FUNDS'
                                                  WHEN 'LIABILITY' THEN 'NUMBER_PAYOUT_EXCEEDED'
                                                  ELSE r_code[v_rule] END,
                    'scope', r_scope[v_rule], 'label', r_label[v_rule]::jsonb, 'accumulates', r_accumulates[v_rule],
                    'number', lpad(CASE v_claim.kinds[i] WHEN 'LIABILITY' THEN h_number[v_claim.facts_at[i]]
                                        ELSE nullif(l_number[v_claim.slots[i]], -1) END::text,
                                   t_digits[v_claim.ticket], '0'),
                    'amountCents', v_claim.amounts[i],
                    'capCents', CASE WHEN v_claim.kinds[i] <> 'FUNDS' THEN v_cap END,
                    'availableCents', greatest(v_available, 0)));
            END IF;
        END LOOP;
        IF v_short IS NULL THEN
            FOR i IN 1 .. cardinality(v_claim.slots) LOOP
                v_slot := v_claim.slots[i] + c_tickets + 1;
                IF v_claim.kinds[i] = 'SALES' THEN
                    v_sales_since[v_slot] := coalesce(v_sales_since[v_slot], 0) + v_claim.amounts[i];
                ELSIF v_claim.accumulates[i] THEN
                    v_taken[v_slot] := coalesce(v_taken[v_slot], 0) + v_claim.amounts[i];
                END IF;
            END LOOP;
        ELSE
            verdicts[v_claim.ticket] :=
                CASE WHEN v_short -> 0 ->> 'code' = 'INSUFFICIENT_FUNDS' THEN 'NO_FUNDS' ELSE 'SOLD_OUT' END;
            violations[v_claim.ticket] := v_short;
        END IF;
    END LOOP;
END $$;

ALTER FUNCTION judge_tight_sales OWNER TO banca_definer;
REVOKE ALL ON FUNCTION judge_tight_sales FROM PUBLIC;
