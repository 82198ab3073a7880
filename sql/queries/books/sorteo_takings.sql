-- What a draw that is evaluated came to for each seller in each ventana is what its live jugadas and its prizes say.
WITH standing AS (
    SELECT r.banca_id, r.sorteo_id, r.evaluation
      FROM sorteo_results r WHERE r.state IN ('DONE', 'REVERTING') AND r.settled_at IS NOT NULL
), line AS (
    SELECT j.banca_id, j.sorteo_id, j.business_date, j.sequence, s.evaluation, j.amount_cents AS sales, 0::bigint AS payouts,
           j.commission_cents AS commission, j.listero_commission_cents AS listero,
           CASE j.commission_origin WHEN 'USER' THEN j.commission_cents ELSE 0 END AS own
      FROM standing s
      JOIN jugadas j ON j.banca_id = s.banca_id AND j.sorteo_id = s.sorteo_id AND j.exclusion_id IS NULL
    UNION ALL
    SELECT p.banca_id, p.sorteo_id, p.business_date, p.sequence, s.evaluation, 0, p.amount_cents, 0, 0, 0
      FROM standing s
      JOIN prizes p ON p.banca_id = s.banca_id AND p.sorteo_id = s.sorteo_id AND p.evaluation = s.evaluation
), expected AS (
    SELECT l.banca_id, l.sorteo_id, l.business_date, l.evaluation, t.vendedor_id, t.ventana_id, sum(l.sales) AS sales,
           sum(l.payouts) AS payouts, sum(l.commission) AS commission, sum(l.own) AS own, sum(l.listero) AS listero,
           count(DISTINCT l.sequence) AS tickets,
           count(DISTINCT l.sequence) FILTER (WHERE l.payouts > 0) AS winners
      FROM line l
      JOIN tickets t ON t.banca_id = l.banca_id AND t.business_date = l.business_date AND t.sorteo_id = l.sorteo_id
           AND t.sequence = l.sequence AND t.status = 'ACTIVE'
     GROUP BY l.banca_id, l.sorteo_id, l.business_date, l.evaluation, t.vendedor_id, t.ventana_id
), taken AS (
    SELECT k.* FROM sorteo_takings k
      JOIN standing s ON s.banca_id = k.banca_id AND s.sorteo_id = k.sorteo_id AND s.evaluation = k.evaluation
)
SELECT coalesce(e.banca_id, k.banca_id) AS banca_id,
       format('draw %s, seller %s: takings of %s − %s are kept, its jugadas say %s − %s',
              coalesce(e.sorteo_id, k.sorteo_id), coalesce(e.vendedor_id, k.vendedor_id), coalesce(k.sales_cents, 0),
              coalesce(k.payouts_cents, 0), coalesce(e.sales, 0), coalesce(e.payouts, 0)) AS finding
  FROM expected e
  FULL JOIN taken k ON k.banca_id = e.banca_id AND k.business_date = e.business_date AND k.sorteo_id = e.sorteo_id
       AND k.evaluation = e.evaluation AND k.vendedor_id = e.vendedor_id AND k.ventana_id = e.ventana_id
 WHERE (e.sales, e.payouts, e.commission, e.own, e.listero, e.tickets, e.winners)
       IS DISTINCT FROM (k.sales_cents, k.payouts_cents, k.commission_cents, k.vendedor_commission_cents,
                         k.listero_commission_cents, k.ticket_count, k.winning_tickets)
