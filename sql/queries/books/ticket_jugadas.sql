-- A ticket's totals are the sums of its lines, which are numbered from 1 without a gap; no line is without a ticket.
SELECT coalesce(t.banca_id, j.banca_id) AS banca_id,
       format('draw %s, ticket %s: its totals are not those of its lines', coalesce(t.sorteo_id, j.sorteo_id),
              coalesce(t.sequence, j.sequence)) AS finding
  FROM tickets t
  FULL JOIN (
      SELECT banca_id, business_date, sorteo_id, sequence, sum(amount_cents) AS total,
             sum(commission_cents) AS commission, sum(listero_commission_cents) AS listero,
             coalesce(sum(commission_cents) FILTER (WHERE commission_origin = 'USER'), 0) AS credit,
             max(line) = count(*) AND min(line) = 1 AS whole
        FROM jugadas GROUP BY banca_id, business_date, sorteo_id, sequence) j
    ON j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
       AND j.sequence = t.sequence
 WHERE (t.total_cents, t.commission_cents, t.listero_commission_cents, t.seller_credit_cents, true)
       IS DISTINCT FROM (j.total, j.commission, j.listero, j.credit, j.whole)
