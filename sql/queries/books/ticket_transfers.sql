-- Every ticket has the transfers of its sale, and of each later event that moved jugadas of it those of what it moved, to
-- the cent, between the right accounts, once; nothing else has transfers. Of a kind they are numbered without a gap.
WITH move AS (
    SELECT t.banca_id, t.business_date, t.id, t.vendedor_id, t.ventana_id, t.event_id, true AS is_live,
           t.total_cents AS total, t.seller_credit_cents AS credit, t.listero_commission_cents AS listero
      FROM tickets t
    UNION ALL
    SELECT t.banca_id, t.business_date, t.id, t.vendedor_id, t.ventana_id, m.event_id, m.is_live,
           sum(j.amount_cents)::bigint,
           coalesce(sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER'), 0)::bigint,
           sum(j.listero_commission_cents)::bigint
      FROM jugada_moves m
      JOIN jugadas j ON j.banca_id = m.banca_id AND j.business_date = m.business_date AND j.sorteo_id = m.sorteo_id
           AND j.sequence = m.sequence AND j.line = m.line
      JOIN tickets t ON t.banca_id = m.banca_id AND t.business_date = m.business_date AND t.sorteo_id = m.sorteo_id
           AND t.sequence = m.sequence
     GROUP BY t.banca_id, t.business_date, t.id, t.vendedor_id, t.ventana_id, m.event_id, m.is_live
), expected AS (
    SELECT t.banca_id, t.business_date, t.id, t.event_id, m.kind, m.debit, m.credit, m.amount
      FROM move t
      JOIN accounts s ON s.banca_id = t.banca_id AND s.kind = 'SALES'
      JOIN accounts c ON c.banca_id = t.banca_id AND c.kind = 'COMMISSIONS'
     CROSS JOIN LATERAL (VALUES
           ('SALE'::transfer_kind, t.vendedor_id, s.id, t.total, t.is_live),
           ('COMMISSION', c.id, t.vendedor_id, t.credit, t.is_live),
           ('LISTERO_COMMISSION', c.id, t.ventana_id, t.listero, t.is_live),
           ('SALE_REVERSAL', s.id, t.vendedor_id, t.total, NOT t.is_live),
           ('COMMISSION_REVERSAL', t.vendedor_id, c.id, t.credit, NOT t.is_live),
           ('LISTERO_COMMISSION_REVERSAL', t.ventana_id, c.id, t.listero, NOT t.is_live))
           AS m (kind, debit, credit, amount, due)
     WHERE m.due AND m.amount > 0
), posted AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.banca_id, f.business_date, f.reference_id, f.kind, f.event_id) AS n,
           row_number() OVER (PARTITION BY f.banca_id, f.business_date, f.reference_id, f.kind
                              ORDER BY f.ordinal) AS place
      FROM transfers f
      -- Prizes, movements and write-offs have checks of their own.
     WHERE f.kind NOT IN ('PRIZE', 'PRIZE_REVERSAL', 'PAYMENT', 'PAYMENT_REVERSAL', 'COLLECTION', 'COLLECTION_REVERSAL',
                          'WRITE_OFF', 'WRITE_OFF_REVERSAL')
)
SELECT coalesce(e.banca_id, f.banca_id) AS banca_id,
       format('ticket %s: %s of event %s should be %s cents, is %s', coalesce(e.id, f.reference_id),
              coalesce(e.kind, f.kind), coalesce(e.event_id, f.event_id), coalesce(e.amount, 0),
              coalesce(f.amount_cents, 0)) AS finding
  FROM expected e
  FULL JOIN posted f
    ON f.banca_id = e.banca_id AND f.business_date = e.business_date AND f.reference_id = e.id
       AND f.kind = e.kind AND f.event_id = e.event_id AND f.n = 1
 WHERE e.id IS NULL OR f.reference_id IS NULL OR f.ordinal <> f.place
    OR (f.amount_cents, f.debit_account_id, f.credit_account_id) IS DISTINCT FROM (e.amount, e.debit, e.credit)
