-- Tickets with their jugadas, by (business date, sorteo, sequence) given as three parallel arrays: what the sale
-- recorded, and what later steps added. One row per ticket found, in no order; one call, one round trip.
CREATE OR REPLACE FUNCTION sold_tickets(p_banca uuid, k_day date[], k_sorteo uuid[], k_sequence bigint[])
RETURNS TABLE (
    business_date date, sorteo_id uuid, sequence bigint, id uuid, banca_id uuid, ventana_id uuid, vendedor_id uuid,
    loteria_id uuid, daily_ordinal smallint, digits smallint, total_cents bigint, commission_cents bigint,
    listero_commission_cents bigint, cliente_nombre text, created_at timestamptz, created_by uuid, created_by_role text,
    terminal_id uuid, rulebook_version bigint, warnings json, status text, cancelled_at timestamptz, jugadas json
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    RETURN QUERY
    SELECT t.business_date, t.sorteo_id, t.sequence, t.id, t.banca_id, t.ventana_id, t.vendedor_id,
           s.loteria_id, s.daily_ordinal, s.digits, t.total_cents, t.commission_cents,
           t.listero_commission_cents, t.cliente_nombre, t.created_at, t.created_by, t.created_by_role::text,
           t.terminal_id, t.rulebook_version, t.warnings, t.status::text, t.cancelled_at, j.jugadas
      FROM unnest(k_day, k_sorteo, k_sequence) AS k (day, sorteo, sequence)
     CROSS JOIN LATERAL find_ticket(p_banca, k.day, k.sorteo, k.sequence) t
     CROSS JOIN LATERAL (
          SELECT loteria_id, daily_ordinal, digits FROM sorteos WHERE banca_id = p_banca AND id = k.sorteo OFFSET 0) s
     CROSS JOIN LATERAL (
          SELECT json_agg(json_build_array(
                     line, type, number, amount_cents, multiplier_id, multiplier_x_hundredths,
                     commission_basis_points, commission_cents, commission_origin, commission_rule_id,
                     listero_commission_cents) ORDER BY line) AS jugadas
            FROM jugadas
           WHERE banca_id = p_banca AND business_date = k.day AND sorteo_id = k.sorteo AND sequence = k.sequence
          OFFSET 0) j;
END $$;
ALTER FUNCTION sold_tickets OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sold_tickets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sold_tickets TO banca_api;
