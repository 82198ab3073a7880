-- Every movement has its transfer, and its opposite if it was reversed, between the right accounts, once; nothing else has
-- such transfers.
WITH expected AS (
    SELECT m.banca_id, m.business_date, m.id, k.kind, m.amount_cents,
           CASE WHEN k.is_debit THEN k.entity ELSE k.other END AS debit,
           CASE WHEN k.is_debit THEN k.other ELSE k.entity END AS credit
      FROM movements m
     CROSS JOIN LATERAL (
          SELECT (upper(m.type::text) || b.suffix)::transfer_kind AS kind, (m.type = 'payment') <> b.is_back AS is_debit,
                 CASE m.dimension WHEN 'BANCA' THEN c.id ELSE m.entity_id END AS entity,
                 CASE m.dimension WHEN 'BANCA' THEN o.id ELSE c.id END AS other
            FROM (VALUES (false, ''), (true, '_REVERSAL')) AS b (is_back, suffix)
            LEFT JOIN accounts c ON c.banca_id = m.banca_id AND c.kind = 'CASH'
            LEFT JOIN accounts o ON o.banca_id = m.banca_id AND o.kind = 'OWNER'
           WHERE NOT b.is_back OR m.reversed_at IS NOT NULL) k
), posted AS (
    SELECT f.* FROM transfers f
     WHERE f.kind IN ('PAYMENT', 'PAYMENT_REVERSAL', 'COLLECTION', 'COLLECTION_REVERSAL')
)
SELECT coalesce(e.banca_id, f.banca_id) AS banca_id,
       format('movement %s: its %s should be %s cents, is %s', coalesce(e.id, f.reference_id),
              coalesce(e.kind, f.kind), coalesce(e.amount_cents, 0), coalesce(f.amount_cents, 0)) AS finding
  FROM expected e
  FULL JOIN posted f ON f.banca_id = e.banca_id AND f.business_date = e.business_date AND f.reference_id = e.id
       AND f.kind = e.kind AND f.ordinal = 1
 WHERE (e.amount_cents, e.debit, e.credit) IS DISTINCT FROM (f.amount_cents, f.debit_account_id, f.credit_account_id)
