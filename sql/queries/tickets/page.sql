-- Where a page of tickets is, newest first: $1 banca, $2 vendedor or null, $3 ventana or null, $4 draw or null,
-- $5 status or null, $6 business date or null, $7 before this id or null, $8 offset, $9 how many.
-- CANCELLED, EXCLUDED and PAID are few of all tickets: page_withdrawn.sql and page_paid.sql look for these. ACTIVE and
-- EVALUATED are stored as ACTIVE: whether the draw has a result tells them apart.
-- (SELECT …): as in find_ticket. What the planner has not seen it takes for so little that it may as well be sorted.
SELECT t.id, t.business_date, t.sorteo_id, t.sequence
  FROM tickets t
 WHERE t.banca_id = (SELECT $1::uuid)
   AND ($2::uuid IS NULL OR t.vendedor_id = (SELECT $2::uuid))
   AND ($3::uuid IS NULL OR t.ventana_id = (SELECT $3::uuid))
   AND ($4::uuid IS NULL OR t.sorteo_id = (SELECT $4::uuid)
        AND t.business_date = (SELECT s.business_date FROM sorteos s WHERE s.banca_id = $1 AND s.id = $4))
   -- None is ACTIVE of an older draw than the oldest without a result.
   AND ($5::text IS DISTINCT FROM 'ACTIVE' OR t.business_date >= (
        SELECT least((SELECT min(s.business_date) FROM sorteos s WHERE s.banca_id = $1 AND s.status <> 'EVALUATED'),
                     (SELECT min(s.business_date)
                        FROM sorteo_results r
                        JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
                       WHERE r.banca_id = $1 AND r.state = 'REVERTING'))))
   AND ($5::text IS NULL OR t.status = 'ACTIVE' AND $5 = coalesce((
            SELECT CASE WHEN z.cents > 0 AND (p.paid_cents >= z.cents OR p.is_waived) THEN 'PAID' ELSE 'EVALUATED' END
              FROM sorteo_results r
             CROSS JOIN LATERAL (
                  SELECT sum(amount_cents) AS cents FROM prizes
                   WHERE banca_id = $1 AND business_date = t.business_date AND sorteo_id = t.sorteo_id
                     AND sequence = t.sequence AND evaluation = r.evaluation) z
             CROSS JOIN LATERAL ticket_cash($1, t.business_date, t.sorteo_id, t.sequence, t.id, r.evaluation) p
             WHERE r.banca_id = $1 AND r.sorteo_id = t.sorteo_id AND r.state = 'DONE'), 'ACTIVE'))
   AND ($6::date IS NULL OR t.business_date = $6)
   AND ($7::uuid IS NULL OR t.id < $7)
 ORDER BY t.id DESC OFFSET $8 LIMIT $9
