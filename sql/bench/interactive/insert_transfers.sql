-- $1 banca, $2 business date, $3 ticket, $4 event, $5 time, then one entry per transfer; those of nothing are left out.
INSERT INTO transfers (
    banca_id, business_date, reference_id, event_id, kind, debit_account_id, credit_account_id, amount_cents, created_at)
SELECT $1, $2, $3, $4, t.kind::transfer_kind, t.debit, t.credit, t.amount, $5
  FROM unnest($6::text[], $7::uuid[], $8::uuid[], $9::bigint[]) AS t (kind, debit, credit, amount)
 WHERE t.amount > 0
