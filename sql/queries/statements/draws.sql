-- What the evaluated draws of days ($4 to $5) came to for entities ($3) of one dimension ($2) of a banca ($1): of sellers,
-- unless $6, without what a reset left out, as sql/functions/statement_facts.sql does it.
WITH standing AS (
    SELECT r.sorteo_id, r.evaluation, s.business_date
      FROM sorteos s
      JOIN sorteo_results r ON r.banca_id = $1 AND r.sorteo_id = s.id
           AND r.state IN ('DONE', 'REVERTING') AND r.settled_at IS NOT NULL
     WHERE s.banca_id = $1 AND s.business_date BETWEEN $4 AND $5
), reset AS (
    SELECT e.id, d.business_date, z.at
      FROM unnest($3::uuid[]) AS e (id)
     CROSS JOIN (SELECT DISTINCT s.business_date FROM standing s) d
     CROSS JOIN LATERAL (
          SELECT z.at, d.business_date = ANY (z.cut_days) AS cuts FROM balance_resets z
           WHERE $2 = 'VENDEDOR' AND NOT $6 AND z.banca_id = $1 AND z.vendedor_id = e.id
             AND z.business_date <= d.business_date AND z.reverted_at IS NULL
           ORDER BY z.at DESC LIMIT 1) z
     WHERE z.cuts
), taken AS (
    SELECT k.sorteo_id, sum(k.sales_cents) AS sales, sum(k.payouts_cents) AS payouts,
           sum(k.listero_commission_cents) AS listero, sum(k.vendedor_commission_cents) AS vendedor,
           sum(k.ticket_count) AS tickets
      FROM standing r
      JOIN sorteo_takings k ON k.banca_id = $1 AND k.business_date = r.business_date AND k.sorteo_id = r.sorteo_id
           AND k.evaluation = r.evaluation
     WHERE CASE $2 WHEN 'VENDEDOR' THEN k.vendedor_id = ANY ($3) WHEN 'VENTANA' THEN k.ventana_id = ANY ($3) ELSE true END
     GROUP BY k.sorteo_id
), cut AS (
    SELECT t.sorteo_id, sum(j.sales) AS sales, coalesce(sum(p.payouts), 0) AS payouts, sum(j.listero) AS listero,
           sum(j.own) AS vendedor, count(*) AS tickets
      FROM reset e
      JOIN tickets t ON t.banca_id = $1 AND t.vendedor_id = e.id AND t.business_date = e.business_date
           AND t.created_at < e.at AND t.status = 'ACTIVE'
      JOIN standing r ON r.sorteo_id = t.sorteo_id
     CROSS JOIN LATERAL (
          SELECT sum(j.amount_cents) AS sales, sum(j.listero_commission_cents) AS listero,
                 coalesce(sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER'), 0) AS own
            FROM jugadas j
           WHERE j.banca_id = $1 AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
             AND j.sequence = t.sequence AND j.exclusion_id IS NULL) j
     CROSS JOIN LATERAL (
          SELECT sum(p.amount_cents) AS payouts FROM prizes p
           WHERE p.banca_id = $1 AND p.business_date = t.business_date AND p.sorteo_id = t.sorteo_id
             AND p.sequence = t.sequence AND p.evaluation = r.evaluation) p
     GROUP BY t.sorteo_id
)
SELECT s.id, s.name, s.loteria_id, l.name AS loteria_name, s.scheduled_at, s.business_date,
       capped_cents(t.sales - coalesce(c.sales, 0)) AS sales_cents,
       capped_cents(t.payouts - coalesce(c.payouts, 0)) AS payouts_cents,
       capped_cents(t.listero - coalesce(c.listero, 0)) AS listero_commission_cents,
       capped_cents(t.vendedor - coalesce(c.vendedor, 0)) AS vendedor_commission_cents,
       (t.tickets - coalesce(c.tickets, 0))::bigint AS ticket_count
  FROM taken t
  JOIN sorteos s ON s.banca_id = $1 AND s.id = t.sorteo_id
  JOIN loterias l ON l.banca_id = $1 AND l.id = s.loteria_id
  LEFT JOIN cut c ON c.sorteo_id = t.sorteo_id
 WHERE t.tickets > coalesce(c.tickets, 0)
