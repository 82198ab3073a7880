-- What a draw came to, for each seller in each ventana, and whose statements that concerns. Called by settle_sorteo and
-- reopen_result alone, which hold the draw's evaluation: no ticket of the draw changes meanwhile, or ever after while the
-- evaluation stands.

DROP FUNCTION IF EXISTS take_sorteo;
CREATE FUNCTION take_sorteo(p_result sorteo_results) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_day date;
    v_has_exclusions boolean;
BEGIN
    SELECT s.business_date, s.has_exclusions INTO STRICT v_day, v_has_exclusions FROM sorteos s
     WHERE s.banca_id = p_result.banca_id AND s.id = p_result.sorteo_id;
    -- A ticket has the sums of its lines; of a draw with exclusions, less those that are excluded.
    INSERT INTO sorteo_takings (
        banca_id, business_date, sorteo_id, evaluation, vendedor_id, ventana_id, sales_cents, payouts_cents,
        commission_cents, vendedor_commission_cents, listero_commission_cents, ticket_count, winning_tickets)
    WITH sold AS (
        SELECT t.vendedor_id, t.ventana_id, sum(t.total_cents) AS sales, sum(t.commission_cents) AS commission,
               sum(t.seller_credit_cents) AS own, sum(t.listero_commission_cents) AS listero, count(*) AS tickets
          FROM tickets t
         WHERE t.banca_id = p_result.banca_id AND t.business_date = v_day AND t.sorteo_id = p_result.sorteo_id
           AND t.status = 'ACTIVE'
         GROUP BY t.vendedor_id, t.ventana_id
    ), excluded AS (
        SELECT t.vendedor_id, t.ventana_id, sum(j.amount_cents) AS sales, sum(j.commission_cents) AS commission,
               sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER') AS own,
               sum(j.listero_commission_cents) AS listero
          FROM jugadas j
         CROSS JOIN LATERAL (
              -- By the line's own banca and draw: the planner takes a banca that no statistics know for empty, and would
              -- read all of it for each line.
              SELECT k.vendedor_id, k.ventana_id FROM tickets k
               WHERE k.banca_id = j.banca_id AND k.business_date = v_day AND k.sorteo_id = j.sorteo_id
                 AND k.sequence = j.sequence AND k.status = 'ACTIVE'
              OFFSET 0) t
         WHERE v_has_exclusions AND j.banca_id = p_result.banca_id AND j.business_date = v_day
           AND j.sorteo_id = p_result.sorteo_id AND j.exclusion_id IS NOT NULL
         GROUP BY t.vendedor_id, t.ventana_id
    ), won AS (
        SELECT t.vendedor_id, t.ventana_id, sum(p.amount_cents) AS payouts, count(*) AS tickets
          FROM (SELECT p.banca_id, p.sorteo_id, p.sequence, sum(p.amount_cents) AS amount_cents FROM prizes p
                 WHERE p.banca_id = p_result.banca_id AND p.business_date = v_day AND p.sorteo_id = p_result.sorteo_id
                   AND p.evaluation = p_result.evaluation
                 GROUP BY p.banca_id, p.sorteo_id, p.sequence) p
         CROSS JOIN LATERAL (
              SELECT k.vendedor_id, k.ventana_id FROM tickets k
               WHERE k.banca_id = p.banca_id AND k.business_date = v_day AND k.sorteo_id = p.sorteo_id
                 AND k.sequence = p.sequence
              OFFSET 0) t
         GROUP BY t.vendedor_id, t.ventana_id
    )
    SELECT p_result.banca_id, v_day, p_result.sorteo_id, p_result.evaluation, s.vendedor_id, s.ventana_id,
           s.sales - coalesce(x.sales, 0), coalesce(w.payouts, 0), s.commission - coalesce(x.commission, 0),
           s.own - coalesce(x.own, 0), s.listero - coalesce(x.listero, 0), s.tickets, coalesce(w.tickets, 0)
      FROM sold s
      LEFT JOIN excluded x ON x.vendedor_id = s.vendedor_id AND x.ventana_id = s.ventana_id
      LEFT JOIN won w ON w.vendedor_id = s.vendedor_id AND w.ventana_id = s.ventana_id;
END $$;

-- The days that have to be computed anew: of each seller and ventana that sold the draw, and of the banca.
DROP FUNCTION IF EXISTS ask_statements;
CREATE FUNCTION ask_statements(p_result sorteo_results) RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
    SELECT DISTINCT k.banca_id, e.dimension, e.entity_id, k.business_date
      FROM sorteo_takings k
      JOIN sorteos s ON s.banca_id = k.banca_id AND s.id = k.sorteo_id AND s.business_date = k.business_date
     CROSS JOIN LATERAL (VALUES ('VENDEDOR'::statement_dimension, k.vendedor_id), ('VENTANA', k.ventana_id),
                                ('BANCA', k.banca_id)) AS e (dimension, entity_id)
     WHERE k.banca_id = p_result.banca_id AND k.sorteo_id = p_result.sorteo_id
       AND k.evaluation = p_result.evaluation
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['take_sorteo', 'ask_statements'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
