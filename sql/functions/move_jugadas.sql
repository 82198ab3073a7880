-- Jugadas of one draw stop counting, or count again: what a cancel, a restore and an exclusion move. Their money goes by
-- transfers of the sale's kinds or of their reversals, one per ticket and kind, with that kind's next ordinal.
--
-- Takes   parallel arrays: the places of jugadas that are all live (p_live false) or all not (true).
-- Gives   one row per seller: the account as it stands now.
-- Locks   nothing: the caller holds the draw and the sellers' accounts.
-- A seller whom it pushes under the limit may stand there, and sales are refused until that is repaid. A restore was
-- judged before, so that only a lifted exclusion can do that.
DROP FUNCTION IF EXISTS move_jugadas;
CREATE FUNCTION move_jugadas(
    p_banca uuid, p_day date, p_sorteo uuid, j_sequence bigint[], j_line smallint[], p_live boolean, p_event bigint,
    p_at timestamptz
) RETURNS TABLE (account_id uuid, balance_cents bigint, balance_version bigint)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    v_sales uuid;
    v_commissions uuid;
BEGIN
    SELECT a.id INTO STRICT v_sales FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'SALES';
    SELECT a.id INTO STRICT v_commissions FROM accounts a WHERE a.banca_id = p_banca AND a.kind = 'COMMISSIONS';

    INSERT INTO jugada_moves (banca_id, business_date, sorteo_id, sequence, line, event_id, is_live)
    SELECT p_banca, p_day, p_sorteo, m.sequence, m.line, p_event, p_live
      FROM unnest(j_sequence, j_line) AS m (sequence, line);

    IF p_live THEN
        INSERT INTO exposure AS e (banca_id, sorteo_id, scope, scope_id, multiplier_key, number, amount_cents,
                                   payout_cents, reventado_cents, counted_cents)
        SELECT p_banca, x.sorteo_id, x.scope, x.scope_id, x.multiplier_key, x.number, x.amount_cents, x.payout_cents,
               x.reventado_cents, x.amount_cents
          FROM exposure_of_jugadas(p_banca, p_day, p_sorteo, j_sequence, j_line) x
        ON CONFLICT (banca_id, sorteo_id, scope_id, multiplier_key, number)
        DO UPDATE SET amount_cents = e.amount_cents + excluded.amount_cents,
                      payout_cents = e.payout_cents + excluded.payout_cents,
                      reventado_cents = e.reventado_cents + excluded.reventado_cents,
                      counted_cents = e.counted_cents + excluded.counted_cents;
        -- A restore was judged by the banca's bound. A lifted exclusion is judged by none but what the books can hold.
        IF EXISTS (SELECT FROM exposure e
                    WHERE e.banca_id = p_banca AND e.sorteo_id = p_sorteo AND e.scope_id = p_banca
                      AND e.multiplier_key = '00000000-0000-0000-0000-000000000000' AND e.number >= 0
                      AND greatest(e.amount_cents, e.payout_cents + e.reventado_cents::numeric * 9999)
                          > 4000000000000000000) THEN
            RAISE EXCEPTION 'draw % would have to pay more than the books can hold', p_sorteo
                USING ERRCODE = 'numeric_value_out_of_range';
        END IF;
    ELSE
        UPDATE exposure e
           SET amount_cents = e.amount_cents - x.amount_cents, payout_cents = e.payout_cents - x.payout_cents,
               reventado_cents = e.reventado_cents - x.reventado_cents,
               counted_cents = e.counted_cents - x.amount_cents
          FROM exposure_of_jugadas(p_banca, p_day, p_sorteo, j_sequence, j_line) x
         WHERE e.banca_id = p_banca AND e.sorteo_id = x.sorteo_id AND e.scope_id = x.scope_id
           AND e.multiplier_key = x.multiplier_key AND e.number = x.number;
    END IF;

    RETURN QUERY
    WITH ticket AS MATERIALIZED (
        SELECT t.id, t.vendedor_id, t.ventana_id, sum(j.amount_cents)::bigint AS total,
               coalesce(sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER'), 0)::bigint AS credit,
               sum(j.listero_commission_cents)::bigint AS listero
          FROM unnest(j_sequence, j_line) AS m (sequence, line)
         CROSS JOIN LATERAL (
              SELECT amount_cents, commission_cents, commission_origin, listero_commission_cents FROM jugadas
               WHERE banca_id = p_banca AND business_date = p_day AND sorteo_id = p_sorteo AND sequence = m.sequence
                 AND line = m.line
              OFFSET 0) j
         CROSS JOIN LATERAL find_ticket(p_banca, p_day, p_sorteo, m.sequence) t
         GROUP BY t.id, t.vendedor_id, t.ventana_id
    ), posted AS (
        INSERT INTO transfers (banca_id, business_date, reference_id, event_id, kind, ordinal, debit_account_id,
                               credit_account_id, amount_cents, created_at)
        SELECT p_banca, p_day, t.id, p_event, m.kind,
               (SELECT coalesce(max(f.ordinal), 0) + 1 FROM transfers f
                 WHERE f.banca_id = p_banca AND f.business_date = p_day AND f.reference_id = t.id AND f.kind = m.kind),
               CASE WHEN p_live THEN m.debit ELSE m.credit END, CASE WHEN p_live THEN m.credit ELSE m.debit END,
               m.amount, p_at
          FROM ticket t
         CROSS JOIN LATERAL (VALUES
               (CASE WHEN p_live THEN 'SALE'::transfer_kind ELSE 'SALE_REVERSAL' END,
                t.vendedor_id, v_sales, t.total),
               (CASE WHEN p_live THEN 'COMMISSION'::transfer_kind ELSE 'COMMISSION_REVERSAL' END,
                v_commissions, t.vendedor_id, t.credit),
               (CASE WHEN p_live THEN 'LISTERO_COMMISSION'::transfer_kind ELSE 'LISTERO_COMMISSION_REVERSAL' END,
                v_commissions, t.ventana_id, t.listero)) AS m (kind, debit, credit, amount)
         WHERE m.amount > 0
    ), moved AS (
        SELECT t.vendedor_id, sum(t.total - t.credit)::bigint * CASE WHEN p_live THEN -1 ELSE 1 END AS net
          FROM ticket t GROUP BY t.vendedor_id
    )
    UPDATE accounts a
       SET balance_cents = a.balance_cents + m.net, balance_version = a.balance_version + 1,
           allowed_overdraft_cents = overdraft_of(a.balance_cents + m.net, a.credit_limit_cents)
      FROM moved m
     WHERE a.banca_id = p_banca AND a.id = m.vendedor_id
    RETURNING a.id, a.balance_cents, a.balance_version;
END $$;
ALTER FUNCTION move_jugadas OWNER TO banca_definer;
REVOKE ALL ON FUNCTION move_jugadas FROM PUBLIC;

-- The counters that jugadas of one draw match, and by how much.
DROP FUNCTION IF EXISTS exposure_of_jugadas;
CREATE FUNCTION exposure_of_jugadas(
    p_banca uuid, p_day date, p_sorteo uuid, j_sequence bigint[], j_line smallint[]
) RETURNS TABLE (
    sorteo_id uuid, scope exposure_scope, scope_id uuid, multiplier_key uuid, number smallint, amount_cents bigint,
    payout_cents numeric, reventado_cents bigint
)
LANGUAGE sql STABLE
AS $$
    SELECT m.*
      FROM (SELECT array_agg(p_sorteo) AS sorteo, array_agg(g.ventana_id) AS ventana,
                   array_agg(g.vendedor_id) AS vendedor, array_agg(g.n) AS n, array_agg(g.number) AS number,
                   array_agg(g.reventado) AS reventado, array_agg(g.multiplier_id) AS multiplier,
                   array_agg(g.amount) AS amount, array_agg(g.payout) AS payout
              -- Summed first: a whole list has few kinds of jugadas. Each kind goes for a ticket.
              FROM (SELECT (row_number() OVER ())::integer AS n, t.ventana_id, t.vendedor_id, j.number,
                           j.type = 'REVENTADO' AS reventado, j.multiplier_id, sum(j.amount_cents)::bigint AS amount,
                           sum(prize_cents(j.amount_cents, j.multiplier_x_hundredths)) AS payout
                      FROM unnest(j_sequence, j_line) AS p (sequence, line)
                     CROSS JOIN LATERAL (
                          SELECT number, type, multiplier_id, amount_cents, multiplier_x_hundredths FROM jugadas
                           WHERE banca_id = p_banca AND business_date = p_day AND sorteo_id = p_sorteo
                             AND sequence = p.sequence AND line = p.line
                          OFFSET 0) j
                     CROSS JOIN LATERAL find_ticket(p_banca, p_day, p_sorteo, p.sequence) t
                     GROUP BY t.ventana_id, t.vendedor_id, j.number, reventado, j.multiplier_id) g) x
     CROSS JOIN LATERAL exposure_moves(p_banca, x.sorteo, x.ventana, x.vendedor, x.n, x.number, x.reventado,
                                       x.multiplier, x.amount, NULL, x.payout) m
$$;
ALTER FUNCTION exposure_of_jugadas OWNER TO banca_definer;
REVOKE ALL ON FUNCTION exposure_of_jugadas FROM PUBLIC;
