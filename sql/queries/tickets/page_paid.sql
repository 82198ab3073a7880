-- Where a page of PAID tickets is, newest first: as page.sql, and the same parameters. Found by their payments; paid is who
-- got the whole prize, or waived what was left.
SELECT t.id, t.business_date, t.sorteo_id, t.sequence
  FROM (SELECT DISTINCT c.ticket_id, c.business_date, c.sorteo_id, c.sequence
          FROM ticket_payments c
         WHERE c.banca_id = (SELECT $1::uuid) AND c.reversed_at IS NULL
           AND ($4::uuid IS NULL OR c.sorteo_id = $4)
           AND ($6::date IS NULL OR c.business_date = $6)
           AND ($7::uuid IS NULL OR c.ticket_id < $7)
         ORDER BY c.ticket_id DESC OFFSET 0) p
 CROSS JOIN LATERAL (
      SELECT r.evaluation, sum(z.amount_cents) AS cents
        FROM sorteo_results r
        JOIN prizes z ON z.banca_id = r.banca_id AND z.business_date = p.business_date AND z.sorteo_id = r.sorteo_id
             AND z.sequence = p.sequence AND z.evaluation = r.evaluation
       WHERE r.banca_id = $1 AND r.sorteo_id = p.sorteo_id AND r.state = 'DONE'
       GROUP BY r.evaluation
      OFFSET 0) z
 CROSS JOIN LATERAL ticket_cash($1, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, z.evaluation) c
 CROSS JOIN LATERAL find_ticket($1, p.business_date, p.sorteo_id, p.sequence) t
 WHERE $5::text = 'PAID' AND t.status = 'ACTIVE' AND (c.paid_cents >= z.cents OR c.is_waived)
   AND ($2::uuid IS NULL OR t.vendedor_id = $2)
   AND ($3::uuid IS NULL OR t.ventana_id = $3)
 ORDER BY p.ticket_id DESC OFFSET $8 LIMIT $9
