-- Statement and ledger agree on every seller: −balance = what all its days came to (with what resets left out of them)
-- + the net of its tickets whose draw is not evaluated. Of a result that is being taken back, what was taken back so far
-- is not in the statements yet. Sellers who have days to be computed are passed over.
WITH told AS (
    SELECT s.banca_id, s.entity_id, sum(s.closing_cents - s.opening_cents) AS net FROM statements s
     WHERE s.dimension = 'VENDEDOR' GROUP BY s.banca_id, s.entity_id
), cut AS (
    SELECT c.banca_id, c.vendedor_id,
           sum(c.sales_cents - c.payouts_cents - c.vendedor_commission_cents + c.paid_cents - c.collected_cents) AS net
      FROM statement_cuts c GROUP BY c.banca_id, c.vendedor_id
), open AS (
    SELECT f.banca_id, t.vendedor_id,
           sum(CASE f.debit_account_id WHEN t.vendedor_id THEN f.amount_cents ELSE -f.amount_cents END) AS net
      FROM transfers f
      JOIN tickets t ON t.banca_id = f.banca_id AND t.business_date = f.business_date AND t.id = f.reference_id
      LEFT JOIN sorteo_results r ON r.banca_id = t.banca_id AND r.sorteo_id = t.sorteo_id
           AND r.state IN ('DONE', 'REVERTING') AND r.settled_at IS NOT NULL
     WHERE t.vendedor_id IN (f.debit_account_id, f.credit_account_id)
       AND (r.banca_id IS NULL
            OR r.state = 'REVERTING' AND f.kind = 'PRIZE_REVERSAL' AND f.event_id = r.revert_event_id)
     GROUP BY f.banca_id, t.vendedor_id
)
SELECT a.banca_id, format('seller %s owes %s by its account, %s by its statements, and %s is still to be drawn', a.id,
                          -a.balance_cents, coalesce(s.net, 0) + coalesce(c.net, 0), coalesce(o.net, 0)) AS finding
  FROM accounts a
  LEFT JOIN told s ON s.banca_id = a.banca_id AND s.entity_id = a.id
  LEFT JOIN cut c ON c.banca_id = a.banca_id AND c.vendedor_id = a.id
  LEFT JOIN open o ON o.banca_id = a.banca_id AND o.vendedor_id = a.id
 WHERE a.kind = 'SELLER' AND -a.balance_cents <> coalesce(s.net, 0) + coalesce(c.net, 0) + coalesce(o.net, 0)
   AND NOT EXISTS (SELECT FROM statement_work w
                    WHERE w.banca_id = a.banca_id AND w.dimension = 'VENDEDOR' AND w.entity_id = a.id)
