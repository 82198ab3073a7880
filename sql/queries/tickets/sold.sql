-- Tickets with their jugadas, by (business_date, sorteo_id, sequence) given as three parallel arrays: what the sale
-- recorded, and what later steps added. One row per ticket found, in no order.
SELECT t.*, s.name AS sorteo_name, s.digits, s.daily_ordinal, s.scheduled_at, s.loteria_id, j.jugadas
  FROM unnest($2::date[], $3::uuid[], $4::bigint[]) AS k (business_date, sorteo_id, sequence)
  JOIN tickets t ON t.banca_id = $1 AND t.business_date = k.business_date AND t.sorteo_id = k.sorteo_id
       AND t.sequence = k.sequence
  JOIN sorteos s ON s.banca_id = $1 AND s.id = t.sorteo_id
  JOIN LATERAL (
      SELECT json_agg(json_build_array(
                 j.line, j.type, j.number, j.amount_cents, j.multiplier_id, j.multiplier_x_hundredths,
                 j.commission_basis_points, j.commission_cents, j.commission_origin, j.commission_rule_id,
                 j.listero_commission_cents) ORDER BY j.line) AS jugadas
        FROM jugadas j
       WHERE j.banca_id = $1 AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
         AND j.sequence = t.sequence) j ON true
