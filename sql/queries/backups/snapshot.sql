-- A name for this transaction's snapshot, under which other sessions read the same; and when it was taken.
SELECT pg_export_snapshot() AS name, transaction_timestamp() AS taken_at
