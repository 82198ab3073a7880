-- The sales of a draw ($1 banca, $2 business date, $3 sorteo) and what moved their jugadas later, in the order of commit:
-- event ids are drawn under the draw's lock. Jugadas that the event moved as parallel arrays, by line; is_live: they count
-- from here on. is_judged: of sales, and of restores, by the version and whoever acted then.
SELECT m.event_id, m.is_live, m.is_judged, t.sequence, m.rulebook_version, t.ventana_id, t.vendedor_id,
       m.actor_role::text, m.at, j.lines, j.numbers, j.reventados, j.amounts, j.multiplier_ids
  FROM tickets t
 CROSS JOIN LATERAL (
      SELECT t.event_id, true AS is_live, true AS is_judged, t.rulebook_version, t.created_by_role AS actor_role,
             t.created_at AS at, NULL::smallint[] AS lines
      UNION ALL
      SELECT v.event_id, v.is_live, r.event_id IS NOT NULL, coalesce(r.rulebook_version, t.rulebook_version),
             coalesce(r.restored_by_role, t.created_by_role), coalesce(r.restored_at, t.created_at), v.lines
        FROM (SELECT event_id, is_live, array_agg(line) AS lines FROM jugada_moves
               WHERE banca_id = $1 AND business_date = $2 AND sorteo_id = $3 AND sequence = t.sequence
               GROUP BY event_id, is_live) v
        LEFT JOIN ticket_restores r ON r.banca_id = $1 AND r.business_date = $2 AND r.sorteo_id = $3
             AND r.sequence = t.sequence AND r.event_id = v.event_id) m
 CROSS JOIN LATERAL (
      SELECT array_agg(j.line ORDER BY j.line) AS lines, array_agg(j.number ORDER BY j.line) AS numbers,
             array_agg(j.type = 'REVENTADO' ORDER BY j.line) AS reventados,
             array_agg(j.amount_cents ORDER BY j.line) AS amounts,
             array_agg(j.multiplier_id ORDER BY j.line) AS multiplier_ids
        FROM jugadas j
       WHERE j.banca_id = $1 AND j.business_date = $2 AND j.sorteo_id = $3 AND j.sequence = t.sequence
         AND (m.lines IS NULL OR j.line = ANY (m.lines))) j
 WHERE t.banca_id = $1 AND t.business_date = $2 AND t.sorteo_id = $3
 ORDER BY m.event_id, t.sequence
