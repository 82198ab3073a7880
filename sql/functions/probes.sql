-- What the API's health asks.

-- Whether a sale could be written now: a row of its own is, and the tables of a sale can be locked as a sale locks them.
--
-- Locks   write_probe's row; the tables as a writer does. Another that holds one is waited for half a second.
-- Raises  read_only_sql_transaction, lock_not_available, disk_full, … as a sale would.
DROP FUNCTION IF EXISTS probe_writes;
CREATE FUNCTION probe_writes() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
BEGIN
    LOCK TABLE ONLY tickets, ONLY jugadas, ONLY transfers, ONLY idempotency, ONLY exposure, ONLY outbox
      IN ROW EXCLUSIVE MODE;
    -- Of these only single columns may be written, which is not enough to lock them by name.
    UPDATE sorteos SET last_sequence = last_sequence WHERE false;
    UPDATE accounts SET balance_version = balance_version WHERE false;
    UPDATE write_probe SET at = clock_timestamp();
END $$;

-- Whether the disk has room for 512 kB more. The caller rolls it back; autovacuum gives the room back.
DROP FUNCTION IF EXISTS probe_space;
CREATE FUNCTION probe_space() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO space_probe (filling) SELECT repeat('x', 8000) FROM generate_series(1, 64);
$$;

-- Gives   the age in seconds of the oldest open transaction of this database that others may have to wait for, or that
--         keeps old rows from being cleaned up: one with a snapshot, an id or a table locked, and a prepared one. 0: none.
--         Of other roles' transactions only what banca_definer may see: it is a member of pg_read_all_stats where the
--         owner may make it one.
DROP FUNCTION IF EXISTS oldest_transaction_s;
CREATE FUNCTION oldest_transaction_s() RETURNS double precision
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - least(
        (SELECT min(a.xact_start)
           FROM pg_stat_activity a
          WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
            AND CASE WHEN a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL THEN true
                     -- The scheduler that leads holds a transaction with nothing but an advisory lock in it.
                     ELSE EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation') END),
        (SELECT min(p.prepared) FROM pg_prepared_xacts p WHERE p.database = current_database()))))::double precision
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    BEGIN
        GRANT pg_read_all_stats TO banca_definer;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'banca_definer sees the ages of its own transactions only: GRANT pg_read_all_stats TO banca_definer';
    END;
    FOREACH function_name IN ARRAY ARRAY['probe_writes', 'probe_space', 'oldest_transaction_s'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I TO banca_api', function_name);
    END LOOP;
END $$;
