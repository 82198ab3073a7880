-- The sales and cancels of a draw ($1 banca, $2 business date, $3 sorteo) in the order of commit: event ids are drawn
-- under the draw's lock. Jugadas as parallel arrays, by line.
SELECT m.event_id, m.is_sale, t.sequence, t.rulebook_version, t.ventana_id, t.vendedor_id, t.created_by_role::text,
       t.created_at, j.lines, j.numbers, j.reventados, j.amounts, j.multiplier_ids
  FROM tickets t
 CROSS JOIN LATERAL (
      SELECT array_agg(j.line ORDER BY j.line) AS lines, array_agg(j.number ORDER BY j.line) AS numbers,
             array_agg(j.type = 'REVENTADO' ORDER BY j.line) AS reventados,
             array_agg(j.amount_cents ORDER BY j.line) AS amounts,
             array_agg(j.multiplier_id ORDER BY j.line) AS multiplier_ids
        FROM jugadas j
       WHERE j.banca_id = $1 AND j.business_date = $2 AND j.sorteo_id = $3 AND j.sequence = t.sequence) j
 CROSS JOIN LATERAL (
      SELECT t.event_id, true AS is_sale
      UNION ALL
      SELECT r.event_id, false FROM transfers r
       WHERE r.banca_id = $1 AND r.business_date = $2 AND r.reference_id = t.id AND r.kind = 'SALE_REVERSAL') m
 WHERE t.banca_id = $1 AND t.business_date = $2 AND t.sorteo_id = $3
 ORDER BY m.event_id, t.sequence
