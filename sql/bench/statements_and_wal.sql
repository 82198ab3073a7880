-- What was asked of PostgreSQL in this database, and what it wrote to its log in all, since it was made.
-- calls: statements of the application's roles; batches: those that called sell_tickets.
SELECT coalesce(sum(s.calls), 0)::bigint AS calls,
       coalesce(sum(s.calls) FILTER (WHERE s.query LIKE '%sell_tickets(%'), 0)::bigint AS batches,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal_bytes
  FROM pg_stat_statements s
  JOIN pg_roles r ON r.oid = s.userid AND r.rolname IN ('banca_api', 'banca_worker')
 WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
