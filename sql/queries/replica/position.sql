-- How far the primary has written, in bytes, and which history of which installation.
SELECT installation_history() AS history, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS written
