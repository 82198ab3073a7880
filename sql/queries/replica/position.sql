-- How far the primary has written, in bytes, and which installation it is.
SELECT (SELECT id FROM instance) AS installation, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS written
