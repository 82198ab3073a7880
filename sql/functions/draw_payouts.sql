-- What the live jugadas of a draw may cost at most, and whether more may be sold of it. The counters are those of the
-- banca (exposure: payout_cents, reventado_cents, counted_cents); the callers hold the draws' locks.

-- What a jugada wins: stake × multiplier (in hundredths), half a cent up. Numeric, so that no stored pair overflows.
CREATE OR REPLACE FUNCTION prize_cents(p_amount bigint, p_x_hundredths integer) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT div(p_amount::numeric * p_x_hundredths + 50, 100)
$$;
REVOKE ALL ON FUNCTION prize_cents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prize_cents TO banca_definer, banca_api, banca_worker;

-- A sum as reports tell it: what no bigint holds is told as the largest one.
CREATE OR REPLACE FUNCTION capped_cents(p_sum numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_sum BETWEEN -9223372036854775807 AND 9223372036854775807 THEN p_sum::bigint
                WHEN p_sum > 0 THEN 9223372036854775807 WHEN p_sum < 0 THEN -9223372036854775807 END
$$;
REVOKE ALL ON FUNCTION capped_cents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION capped_cents TO banca_definer, banca_api, banca_worker;

-- The most that the result of a draw of this lottery can pay for a REVENTADO, in hundredths: the highest multiplier for
-- REVENTADO that the lottery has, active or not, and at least the stake.
DROP FUNCTION IF EXISTS reventado_x_max;
CREATE FUNCTION reventado_x_max(p_banca uuid, p_loteria uuid) RETURNS integer
LANGUAGE sql STABLE
AS $$
    SELECT greatest(coalesce(max(m.value_x_hundredths), 0), 100)
      FROM loteria_multipliers m
     WHERE m.banca_id = p_banca AND m.loteria_id = p_loteria AND m.kind = 'REVENTADO'
$$;
ALTER FUNCTION reventado_x_max OWNER TO banca_definer;
REVOKE ALL ON FUNCTION reventado_x_max FROM PUBLIC;

-- Of each draw an upper bound of what any of its numbers may cost, from one look at the draw's sums: the dearest REVENTADO
-- that a multiplier can pay, all numbers taken for one.
-- Gives   one row. worst: of the dearest of the draws. uncounted: draws of which the counters do not tell all.
-- Plans   built into the statements that call it: called by itself it would cost a sale as much again.
DROP FUNCTION IF EXISTS worst_payout;
CREATE FUNCTION worst_payout(p_banca uuid, p_sorteos uuid[]) RETURNS TABLE (worst numeric, uncounted uuid[])
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(max(greatest(e.amount_cents, e.payout_cents + e.reventado_cents::numeric * 9999)), 0),
           array_agg(e.sorteo_id ORDER BY e.sorteo_id) FILTER (WHERE e.counted_cents <> e.amount_cents)
      FROM exposure e
     WHERE e.banca_id = p_banca AND e.sorteo_id = ANY (p_sorteos) AND e.scope_id = p_banca
       AND e.multiplier_key = '00000000-0000-0000-0000-000000000000' AND e.number = -1
$$;
ALTER FUNCTION worst_payout OWNER TO banca_definer;
REVOKE ALL ON FUNCTION worst_payout FROM PUBLIC;

-- Count a draw's payouts anew, from its live jugadas: what was sold before they were kept has none.
DROP FUNCTION IF EXISTS count_payouts;
CREATE FUNCTION count_payouts(p_banca uuid, p_sorteo uuid) RETURNS void
LANGUAGE sql VOLATILE
AS $$
    WITH live AS MATERIALIZED (
        SELECT t.ventana_id, t.vendedor_id, j.number, j.type = 'REVENTADO' AS reventado, j.multiplier_id,
               sum(j.amount_cents) AS amount, sum(prize_cents(j.amount_cents, j.multiplier_x_hundredths)) AS payout
          FROM sorteos s
          JOIN tickets t ON t.banca_id = p_banca AND t.business_date = s.business_date AND t.sorteo_id = s.id
               AND t.status = 'ACTIVE'
          JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = s.business_date AND j.sorteo_id = s.id
               AND j.sequence = t.sequence AND j.exclusion_id IS NULL
         WHERE s.banca_id = p_banca AND s.id = p_sorteo
         GROUP BY t.ventana_id, t.vendedor_id, j.number, j.type, j.multiplier_id
    ), counted AS (
        SELECT e.scope_id, e.multiplier_key, e.number, coalesce(sum(l.amount), 0) AS amount,
               coalesce(sum(l.payout) FILTER (WHERE NOT l.reventado), 0) AS payout,
               coalesce(sum(l.amount) FILTER (WHERE l.reventado), 0) AS reventado
          FROM exposure e
          LEFT JOIN live l ON e.scope_id IN (p_banca, l.ventana_id, l.vendedor_id) AND e.number IN (l.number, -1)
               AND (e.multiplier_key = '00000000-0000-0000-0000-000000000000' OR e.multiplier_key = l.multiplier_id
                    OR e.multiplier_key = '00000000-0000-0000-0000-000000000001' AND l.reventado)
         WHERE e.banca_id = p_banca AND e.sorteo_id = p_sorteo
         GROUP BY e.scope_id, e.multiplier_key, e.number
    )
    UPDATE exposure e SET payout_cents = c.payout, reventado_cents = c.reventado, counted_cents = c.amount
      FROM counted c
     WHERE e.banca_id = p_banca AND e.sorteo_id = p_sorteo AND e.scope_id = c.scope_id
       AND e.multiplier_key = c.multiplier_key AND e.number = c.number
$$;
ALTER FUNCTION count_payouts OWNER TO banca_definer;
REVOKE ALL ON FUNCTION count_payouts FROM PUBLIC;

-- What tickets add to what numbers of their draws may cost, beside what those may cost already. A jugada costs its stake or
-- what it would pay, whichever is more.
--
-- Takes   t_sorteo, t_loteria, one entry per ticket; j_*, one per jugada, j_ticket refers to the ticket, from 1.
-- Gives   parallel arrays, one entry per ticket and number, tickets in their order. used: before any of them; beyond what
--         a bound can be it says no more.
DROP FUNCTION IF EXISTS payout_claims;
CREATE FUNCTION payout_claims(
    p_banca uuid, t_sorteo uuid[], t_loteria uuid[], j_ticket integer[], j_number smallint[], j_reventado boolean[],
    j_amount bigint[], j_x integer[],
    OUT tickets integer[], OUT numbers smallint[], OUT amounts bigint[], OUT used bigint[]
)
LANGUAGE sql STABLE
AS $$
    WITH loteria AS MATERIALIZED (
        SELECT l.id, reventado_x_max(p_banca, l.id) AS x FROM (SELECT DISTINCT unnest(t_loteria) AS id OFFSET 0) l
    ), claim AS (
        SELECT j.ticket, t_sorteo[j.ticket] AS sorteo, j.number, l.x,
               least(sum(greatest(j.amount, prize_cents(j.amount, CASE WHEN j.reventado THEN l.x ELSE j.x END))),
                     1000000000000000000)::bigint AS amount
          FROM unnest(j_ticket, j_number, j_reventado, j_amount, j_x) AS j (ticket, number, reventado, amount, x)
          JOIN loteria l ON l.id = t_loteria[j.ticket]
         GROUP BY j.ticket, j.number, l.x
    )
    SELECT coalesce(array_agg(c.ticket ORDER BY c.ticket, c.number), '{}'),
           coalesce(array_agg(c.number ORDER BY c.ticket, c.number), '{}'),
           coalesce(array_agg(c.amount ORDER BY c.ticket, c.number), '{}'),
           coalesce(array_agg(least(greatest(e.amount_cents, e.payout_cents + ceil(e.reventado_cents::numeric * c.x / 100), 0),
                                    1000000000000000000)::bigint ORDER BY c.ticket, c.number), '{}')
      FROM claim c
      LEFT JOIN LATERAL (
          SELECT amount_cents, payout_cents, reventado_cents FROM exposure
           WHERE banca_id = p_banca AND sorteo_id = c.sorteo AND scope_id = p_banca
             AND multiplier_key = '00000000-0000-0000-0000-000000000000' AND number = c.number
          OFFSET 0) e ON true
$$;
ALTER FUNCTION payout_claims OWNER TO banca_definer;
REVOKE ALL ON FUNCTION payout_claims FROM PUBLIC;
