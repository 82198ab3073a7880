-- What the evaluated draws of some days came to, the earliest first: $1 banca, $2 and $3 the days (both included),
-- $4 lottery or null, $5 whether active or null, $6 seller or null, $7 ventana or null, $8 whether with lines.
--
-- lines: [type, multiplier, its name, x of the result or null, cents sold, cents of commission, tickets, cents of prizes,
-- jugadas that won], summed from the jugadas; the rest was summed when the draw was evaluated. Only what is live counts:
-- no cancelled ticket, no excluded jugada.
WITH draw AS MATERIALIZED (
    SELECT s.id, s.loteria_id, l.name AS loteria_name, s.name, s.digits, s.is_active, s.scheduled_at, s.business_date,
           r.evaluation, r.winning_number, r.extra_multiplier_id, r.extra_x_hundredths, r.extra_outcome_code, r.settled_at
      FROM sorteos s
      JOIN loterias l ON l.banca_id = s.banca_id AND l.id = s.loteria_id
      JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.id AND r.state = 'DONE'
     WHERE s.banca_id = $1 AND s.status = 'EVALUATED' AND s.business_date BETWEEN $2 AND $3
       AND ($4::uuid IS NULL OR s.loteria_id = $4)
       AND ($5::boolean IS NULL OR s.is_active = $5)
)
SELECT d.*, k.sales, k.commission, k.prizes, k.tickets, k.winners, coalesce(w.paid, 0) AS paid,
       coalesce(x.lines, '[]') AS lines
  FROM draw d
 CROSS JOIN LATERAL (
      SELECT capped_cents(coalesce(sum(k.sales_cents), 0)) AS sales,
             capped_cents(coalesce(sum(k.commission_cents), 0)) AS commission,
             capped_cents(coalesce(sum(k.payouts_cents), 0)) AS prizes, coalesce(sum(k.ticket_count), 0)::bigint AS tickets,
             coalesce(sum(k.winning_tickets), 0)::bigint AS winners
        FROM sorteo_takings k
       WHERE k.banca_id = $1 AND k.business_date = d.business_date AND k.sorteo_id = d.id AND k.evaluation = d.evaluation
         AND ($6::uuid IS NULL OR k.vendedor_id = $6) AND ($7::uuid IS NULL OR k.ventana_id = $7)) k
 CROSS JOIN LATERAL (
      -- Paid: all of the prize, or the customer waived what was left.
      SELECT count(*) FILTER (WHERE c.is_waived OR c.paid_cents >= p.amount_cents) AS paid
        FROM (SELECT p.sequence, p.vendedor_id, sum(p.amount_cents) AS amount_cents FROM prizes p
               WHERE p.banca_id = $1 AND p.business_date = d.business_date AND p.sorteo_id = d.id
                 AND p.evaluation = d.evaluation AND ($6::uuid IS NULL OR p.vendedor_id = $6)
               GROUP BY p.sequence, p.vendedor_id) p
        JOIN tickets t ON t.banca_id = $1 AND t.business_date = d.business_date AND t.sorteo_id = d.id
             AND t.sequence = p.sequence AND ($7::uuid IS NULL OR t.ventana_id = $7)
       CROSS JOIN LATERAL ticket_cash($1, d.business_date, d.id, t.sequence, t.id, d.evaluation) c) w
  LEFT JOIN LATERAL (
      SELECT json_agg(json_build_array(
                 k.type, k.multiplier_id, m.name, CASE k.type WHEN 'REVENTADO' THEN d.extra_x_hundredths
                                                              ELSE m.value_x_hundredths END,
                 k.sold, k.commission, k.tickets, k.prizes, k.winning) ORDER BY k.type, k.sold DESC, k.multiplier_id)
             AS lines
        FROM (SELECT j.type,
                     CASE j.type WHEN 'REVENTADO' THEN d.extra_multiplier_id ELSE j.multiplier_id END AS multiplier_id,
                     capped_cents(sum(j.amount_cents)) AS sold, capped_cents(sum(j.commission_cents)) AS commission,
                     count(DISTINCT j.sequence) AS tickets, capped_cents(coalesce(sum(p.amount_cents), 0)) AS prizes,
                     count(p.amount_cents) AS winning
                FROM tickets t
                JOIN jugadas j ON j.banca_id = $1 AND j.business_date = d.business_date AND j.sorteo_id = d.id
                     AND j.sequence = t.sequence AND j.exclusion_id IS NULL
                LEFT JOIN prizes p ON p.banca_id = $1 AND p.business_date = d.business_date AND p.sorteo_id = d.id
                     AND p.sequence = j.sequence AND p.line = j.line AND p.evaluation = d.evaluation
               WHERE t.banca_id = $1 AND t.business_date = d.business_date AND t.sorteo_id = d.id
                 AND t.status = 'ACTIVE'
                 AND ($6::uuid IS NULL OR t.vendedor_id = $6) AND ($7::uuid IS NULL OR t.ventana_id = $7)
               GROUP BY 1, 2) k
        LEFT JOIN loteria_multipliers m ON m.banca_id = $1 AND m.id = k.multiplier_id) x ON $8
 ORDER BY d.scheduled_at, d.loteria_id, d.id
