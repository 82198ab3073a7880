-- With other parameters a function is another one; both at once would be called by neither name.
DROP FUNCTION IF EXISTS exposure_moves;

-- What live jugadas move: per draw every counter that they match. The banca's own counters (each number, and −1 for
-- the draw's sales) are always kept; narrower ones and those of a multiplier from the moment they are tracked.
--
-- Takes   parallel arrays: t_* one entry per ticket, j_* one per jugada; j_ticket refers to the ticket, from 1. A ticket
--         without a draw moves nothing.
--         j_x: their multipliers in hundredths. j_payout: what NUMERO jugadas would pay, where an entry stands for several;
--         null: amount × x, half a cent up.
-- Gives   one row per counter, amounts summed. The multiplier key of REVENTADO is the uuid 1, that of all jugadas 0.
CREATE FUNCTION exposure_moves(
    p_banca uuid, t_sorteo uuid[], t_ventana uuid[], t_vendedor uuid[], j_ticket integer[], j_number smallint[],
    j_reventado boolean[], j_multiplier uuid[], j_amount bigint[], j_x integer[], j_payout numeric[] DEFAULT NULL
) RETURNS TABLE (
    sorteo_id uuid, scope exposure_scope, scope_id uuid, multiplier_key uuid, number smallint, amount_cents bigint,
    payout_cents numeric, reventado_cents bigint
)
LANGUAGE sql STABLE
AS $$
    WITH tracked AS MATERIALIZED (
        SELECT p.sorteo, p.scope, p.scope_id, t.multiplier_key
          FROM (SELECT DISTINCT t.sorteo, s.scope, s.scope_id
                  FROM unnest(t_sorteo, t_ventana, t_vendedor) AS t (sorteo, ventana, vendedor)
                 CROSS JOIN LATERAL (VALUES ('BANCA'::exposure_scope, p_banca), ('VENTANA', t.ventana),
                                            ('VENDEDOR', t.vendedor)) AS s (scope, scope_id)
                 WHERE t.sorteo IS NOT NULL) p
         CROSS JOIN LATERAL (
              SELECT multiplier_key FROM exposure_tracking
               WHERE banca_id = p_banca AND sorteo_id = p.sorteo AND scope = p.scope AND scope_id = p.scope_id
              OFFSET 0) t
    ), jugada AS MATERIALIZED (
        SELECT t_sorteo[j.ticket] AS sorteo, j.ticket, j.number, j.reventado, j.multiplier, j.amount,
               CASE WHEN NOT j.reventado AND j.payout IS NULL THEN (j.amount * j.x + 50) / 100 END AS payout,
               CASE WHEN NOT j.reventado THEN j.payout END AS payouts
          FROM unnest(j_ticket, j_number, j_reventado, j_multiplier, j_amount, j_x, j_payout)
               AS j (ticket, number, reventado, multiplier, amount, x, payout)
         WHERE t_sorteo[j.ticket] IS NOT NULL
    ), move AS (
        SELECT sorteo, 'BANCA'::exposure_scope AS scope, p_banca AS scope_id,
               '00000000-0000-0000-0000-000000000000'::uuid AS multiplier_key, number, reventado, amount,
               payout, payouts
          FROM jugada
        UNION ALL
        SELECT t.sorteo, t.scope, t.scope_id, t.multiplier_key, j.number, j.reventado, j.amount, j.payout,
               j.payouts
          FROM tracked t
          JOIN (SELECT j.*, s.scope_id
                  FROM jugada j
                 CROSS JOIN LATERAL (VALUES (p_banca), (t_ventana[j.ticket]), (t_vendedor[j.ticket])) AS s (scope_id)
               ) j ON j.sorteo = t.sorteo AND j.scope_id = t.scope_id
         WHERE t.multiplier_key = '00000000-0000-0000-0000-000000000000'
            OR t.multiplier_key = j.multiplier
            OR t.multiplier_key = '00000000-0000-0000-0000-000000000001' AND j.reventado
    )
    SELECT m.sorteo, m.scope, m.scope_id, m.multiplier_key, n.number, sum(m.amount)::bigint,
           -- Two sums, because one of bigint costs a third of one of numeric.
           coalesce(sum(m.payout), 0) + coalesce(sum(m.payouts), 0),
           coalesce(sum(m.amount) FILTER (WHERE m.reventado), 0)::bigint
      FROM move m
     CROSS JOIN LATERAL (VALUES (m.number), (-1::smallint)) AS n (number)
     GROUP BY m.sorteo, m.scope, m.scope_id, m.multiplier_key, n.number
$$;
ALTER FUNCTION exposure_moves OWNER TO banca_definer;
REVOKE ALL ON FUNCTION exposure_moves FROM PUBLIC;

-- Start tracking counters of draws: their first sums, from the live jugadas. The caller holds the draws' locks.
-- Takes   parallel arrays, one entry per kind of counter; those already tracked, and the banca's own, are left alone.
DROP FUNCTION IF EXISTS track_exposure;
CREATE FUNCTION track_exposure(
    p_banca uuid, c_sorteo uuid[], c_scope exposure_scope[], c_scope_id uuid[], c_multiplier_key uuid[]
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    v_new record;
BEGIN
    FOR v_new IN
        SELECT DISTINCT c.sorteo, s.business_date, c.scope, c.scope_id, c.multiplier_key
          FROM (SELECT c.*
                  FROM unnest(c_sorteo, c_scope, c_scope_id, c_multiplier_key)
                       AS c (sorteo, scope, scope_id, multiplier_key)
                  LEFT JOIN LATERAL (
                      SELECT true AS tracked FROM exposure_tracking
                       WHERE banca_id = p_banca AND sorteo_id = c.sorteo AND scope_id = c.scope_id
                         AND multiplier_key = c.multiplier_key
                      OFFSET 0) t ON true
                 WHERE t.tracked IS NULL
                OFFSET 0) c
         CROSS JOIN LATERAL (
             SELECT business_date FROM sorteos WHERE banca_id = p_banca AND id = c.sorteo OFFSET 0) s
         WHERE NOT (c.scope = 'BANCA' AND c.multiplier_key = '00000000-0000-0000-0000-000000000000')
    LOOP
        INSERT INTO exposure_tracking (banca_id, sorteo_id, scope, scope_id, multiplier_key)
        VALUES (p_banca, v_new.sorteo, v_new.scope, v_new.scope_id, v_new.multiplier_key);
        INSERT INTO exposure (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents, payout_cents,
                              reventado_cents, counted_cents)
        SELECT p_banca, v_new.sorteo, v_new.scope, v_new.scope_id, v_new.multiplier_key, n.number, sum(j.amount_cents),
               coalesce(sum(prize_cents(j.amount_cents, j.multiplier_x_hundredths)) FILTER (WHERE j.type = 'NUMERO'), 0),
               coalesce(sum(j.amount_cents) FILTER (WHERE j.type = 'REVENTADO'), 0), sum(j.amount_cents)
          FROM tickets t
          JOIN jugadas j ON j.banca_id = p_banca AND j.business_date = v_new.business_date
               AND j.sorteo_id = v_new.sorteo AND j.sequence = t.sequence
         CROSS JOIN LATERAL (VALUES (j.number), (-1::smallint)) AS n (number)
         WHERE t.banca_id = p_banca AND t.business_date = v_new.business_date AND t.sorteo_id = v_new.sorteo
           AND t.status = 'ACTIVE' AND j.exclusion_id IS NULL
           AND v_new.scope_id = CASE v_new.scope WHEN 'BANCA' THEN p_banca WHEN 'VENTANA' THEN t.ventana_id
                                                 ELSE t.vendedor_id END
           AND (v_new.multiplier_key = '00000000-0000-0000-0000-000000000000'
                OR v_new.multiplier_key = j.multiplier_id
                OR v_new.multiplier_key = '00000000-0000-0000-0000-000000000001' AND j.type = 'REVENTADO')
         GROUP BY n.number;
    END LOOP;
END $$;
ALTER FUNCTION track_exposure OWNER TO banca_definer;
REVOKE ALL ON FUNCTION track_exposure FROM PUBLIC;
