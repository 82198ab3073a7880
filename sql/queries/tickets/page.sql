-- Where a page of tickets is, newest first: $1 banca, $2 vendedor or null, $3 ventana or null, $4 draw or null,
-- $5 status or null, $6 business date or null, $7 before this id or null, $8 offset, $9 how many.
-- ACTIVE, EVALUATED and PAID are stored as ACTIVE: whether the draw has a result, and the prize's payments, tell them apart.
SELECT t.id, t.business_date, t.sorteo_id, t.sequence
  FROM tickets t
 WHERE t.banca_id = $1
   AND ($2::uuid IS NULL OR t.vendedor_id = $2)
   AND ($3::uuid IS NULL OR t.ventana_id = $3)
   AND ($4::uuid IS NULL OR t.sorteo_id = $4)
   AND ($5::text IS NULL OR $5 IN ('CANCELLED', 'EXCLUDED') AND t.status::text = $5
        OR $5 IN ('ACTIVE', 'EVALUATED', 'PAID') AND t.status = 'ACTIVE' AND $5 = coalesce((
            SELECT CASE WHEN z.cents > 0 AND (p.cents >= z.cents OR p.is_final) THEN 'PAID' ELSE 'EVALUATED' END
              FROM sorteo_results r
             CROSS JOIN LATERAL (
                  SELECT sum(amount_cents) AS cents FROM prizes
                   WHERE banca_id = $1 AND business_date = t.business_date AND sorteo_id = t.sorteo_id
                     AND sequence = t.sequence AND evaluation = r.evaluation) z
             CROSS JOIN LATERAL (
                  SELECT sum(amount_cents) AS cents, bool_or(is_final OR finalized_at IS NOT NULL) AS is_final
                    FROM ticket_payments
                   WHERE banca_id = $1 AND business_date = t.business_date AND ticket_id = t.id
                     AND evaluation = r.evaluation AND reversed_at IS NULL) p
             WHERE r.banca_id = $1 AND r.sorteo_id = t.sorteo_id AND r.state = 'DONE'), 'ACTIVE'))
   AND ($6::date IS NULL OR t.business_date = $6)
   AND ($7::uuid IS NULL OR t.id < $7)
 ORDER BY t.id DESC OFFSET $8 LIMIT $9
