-- Every write-off has its transfer from the banca's prizes to the seller of the ticket, and its opposite if it was undone, on the
-- day of the statement, once; nothing else has such transfers. A settlement has none.
WITH expected AS (
    SELECT e.banca_id, e.posted_on AS business_date, e.id, k.kind, e.amount_cents,
           CASE WHEN k.is_back THEN t.vendedor_id ELSE a.id END AS debit,
           CASE WHEN k.is_back THEN a.id ELSE t.vendedor_id END AS credit
      FROM cash_memo_entries e
      LEFT JOIN tickets t ON t.banca_id = e.banca_id AND t.business_date = e.business_date AND t.id = e.ticket_id
           AND t.ventana_id = e.ventana_id AND t.vendedor_id = e.vendedor_id
      LEFT JOIN accounts a ON a.banca_id = e.banca_id AND a.kind = 'PRIZES'
     CROSS JOIN LATERAL (VALUES ('WRITE_OFF'::transfer_kind, false), ('WRITE_OFF_REVERSAL', true)) AS k (kind, is_back)
     WHERE e.kind = 'WRITE_OFF' AND (NOT k.is_back OR e.reversed_at IS NOT NULL)
), posted AS (
    SELECT f.* FROM transfers f WHERE f.kind IN ('WRITE_OFF', 'WRITE_OFF_REVERSAL')
)
SELECT coalesce(e.banca_id, f.banca_id) AS banca_id,
       format('write-off %s: its %s should be %s cents, is %s', coalesce(e.id, f.reference_id), coalesce(e.kind, f.kind),
              coalesce(e.amount_cents, 0), coalesce(f.amount_cents, 0)) AS finding
  FROM expected e
  FULL JOIN posted f ON f.banca_id = e.banca_id AND f.business_date = e.business_date AND f.reference_id = e.id
       AND f.kind = e.kind AND f.ordinal = 1
 WHERE (e.amount_cents, e.debit, e.credit) IS DISTINCT FROM (f.amount_cents, f.debit_account_id, f.credit_account_id)
