-- Each memo is what payments, prizes and entries say, summed anew: cash of all results, less what came back, the prize that
-- stands and what was written off. A ticket that was paid under a result that does not stand has one, and nothing is written
-- off past what is out. While a result is taken back the memos still tell of it.
WITH standing AS (
    SELECT r.banca_id, r.sorteo_id, r.evaluation FROM sorteo_results r WHERE r.state IN ('DONE', 'REVERTING')
), cash AS (
    SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, r.evaluation, sum(p.amount_cents) AS cents,
           bool_or(p.evaluation IS DISTINCT FROM r.evaluation) AS is_of_earlier
      FROM ticket_payments p
      LEFT JOIN standing r ON r.banca_id = p.banca_id AND r.sorteo_id = p.sorteo_id
     WHERE p.reversed_at IS NULL
     GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence, p.ticket_id, r.evaluation
), ended AS (
    SELECT e.banca_id, e.business_date, e.ticket_id,
           coalesce(sum(e.amount_cents) FILTER (WHERE e.kind = 'SETTLEMENT'), 0) AS returned,
           coalesce(sum(e.amount_cents) FILTER (WHERE e.kind = 'WRITE_OFF' AND e.reversed_at IS NULL), 0) AS written_off,
           coalesce(bool_and(e.evaluation = r.evaluation) FILTER (
               WHERE e.kind = 'WRITE_OFF' AND e.reversed_at IS NULL), true) AS stands
      FROM cash_memo_entries e
      LEFT JOIN standing r ON r.banca_id = e.banca_id AND r.sorteo_id = e.sorteo_id
     GROUP BY e.banca_id, e.business_date, e.ticket_id
), expected AS (
    SELECT coalesce(c.banca_id, m.banca_id) AS banca_id, coalesce(c.ticket_id, m.ticket_id) AS ticket_id,
           m.ticket_id IS NOT NULL AS has_memo, c.is_of_earlier,
           m.cash_cents, m.returned_cents, m.prize_cents, m.written_off_cents, m.open_cents,
           coalesce(c.cents, 0) AS cash, coalesce(e.returned, 0) AS returned, coalesce(e.written_off, 0) AS written_off,
           coalesce(e.stands, true) AS stands, coalesce(z.prize, 0) AS prize, t.id IS NOT NULL AS has_ticket
      FROM cash c
      FULL JOIN cash_memos m ON m.banca_id = c.banca_id AND m.business_date = c.business_date
           AND m.ticket_id = c.ticket_id
      LEFT JOIN standing r ON r.banca_id = m.banca_id AND r.sorteo_id = m.sorteo_id
      LEFT JOIN ended e ON e.banca_id = m.banca_id AND e.business_date = m.business_date AND e.ticket_id = m.ticket_id
      LEFT JOIN tickets t ON t.banca_id = m.banca_id AND t.business_date = m.business_date AND t.sorteo_id = m.sorteo_id
           AND t.sequence = m.sequence AND t.id = m.ticket_id AND t.vendedor_id = m.vendedor_id
           AND t.ventana_id = m.ventana_id
      LEFT JOIN LATERAL (
           SELECT sum(p.amount_cents) AS prize FROM prizes p
            WHERE p.banca_id = m.banca_id AND p.business_date = m.business_date AND p.sorteo_id = m.sorteo_id
              AND p.sequence = m.sequence AND p.evaluation = r.evaluation) z ON true
)
SELECT x.banca_id, format('ticket %s was paid under a result that does not stand, and has no memo', x.ticket_id) AS finding
  FROM expected x WHERE x.is_of_earlier AND NOT x.has_memo
UNION ALL
SELECT x.banca_id, format('memo of ticket %s: %s − %s − %s − %s, open %s is told; its payments, prizes and entries say'
                          ' %s − %s − %s − %s', x.ticket_id, x.cash_cents, x.returned_cents, x.prize_cents,
                          x.written_off_cents, x.open_cents, x.cash, x.returned, x.prize, x.written_off)
  FROM expected x
 WHERE x.has_memo
   AND ((x.cash_cents, x.returned_cents, x.prize_cents, x.written_off_cents)
        IS DISTINCT FROM (x.cash, x.returned, x.prize, x.written_off)
        OR x.open_cents <> greatest(x.cash - x.returned - x.prize - x.written_off, 0)
        OR x.written_off > greatest(x.cash - x.returned - x.prize, 0)
        OR NOT x.stands OR NOT x.has_ticket)
