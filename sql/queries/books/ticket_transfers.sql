-- Every ticket has the transfers of its sale, to the cent and between the right accounts; a cancelled one has each
-- of them reversed once; nothing else has transfers.
WITH expected AS (
    SELECT t.banca_id, t.business_date, t.id, m.kind, m.debit, m.credit, m.amount
      FROM tickets t
      JOIN accounts s ON s.banca_id = t.banca_id AND s.kind = 'SALES'
      JOIN accounts c ON c.banca_id = t.banca_id AND c.kind = 'COMMISSIONS'
     CROSS JOIN LATERAL (VALUES
           ('SALE'::transfer_kind, t.vendedor_id, s.id, t.total_cents, true),
           ('COMMISSION', c.id, t.vendedor_id, t.seller_credit_cents, true),
           ('LISTERO_COMMISSION', c.id, t.ventana_id, t.listero_commission_cents, true),
           ('SALE_REVERSAL', s.id, t.vendedor_id, t.total_cents, t.status = 'CANCELLED'),
           ('COMMISSION_REVERSAL', t.vendedor_id, c.id, t.seller_credit_cents, t.status = 'CANCELLED'),
           ('LISTERO_COMMISSION_REVERSAL', t.ventana_id, c.id, t.listero_commission_cents, t.status = 'CANCELLED'))
           AS m (kind, debit, credit, amount, due)
     WHERE m.due AND m.amount > 0
)
SELECT coalesce(e.banca_id, f.banca_id) AS banca_id,
       format('ticket %s: %s should be %s cents, is %s', coalesce(e.id, f.reference_id), coalesce(e.kind, f.kind),
              coalesce(e.amount, 0), coalesce(f.amount_cents, 0)) AS finding
  FROM expected e
  FULL JOIN transfers f ON f.banca_id = e.banca_id AND f.business_date = e.business_date AND f.reference_id = e.id
       AND f.kind = e.kind AND f.ordinal = 1
 WHERE e.id IS NULL OR f.reference_id IS NULL
    OR (f.amount_cents, f.debit_account_id, f.credit_account_id) IS DISTINCT FROM (e.amount, e.debit, e.credit)
