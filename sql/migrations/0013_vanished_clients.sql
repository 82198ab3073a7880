-- A client whose host vanished keeps its locks until the server notices: within half a minute by these probes, and a
-- transaction that only waits ends after a minute in any case. Of the roles, because a pooler passes no such settings on.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['banca_api', 'banca_worker'] LOOP
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', name);
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_idle = 10', name);
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_interval = 5', name);
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_count = 3', name);
    END LOOP;
END $$;
