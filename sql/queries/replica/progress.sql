-- How far a replica has got of what the primary wrote. replayed: none of a server that never followed another.
SELECT
    installation_history() AS history,
    pg_is_in_recovery() AS is_following,
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS replayed
