-- Which history of the installation this server tells: what anybody remembers of another one is worth nothing here.
-- It changes when `./banca restored` says so, and by itself with the cluster, the database or the timeline: a point in
-- time recovery and a promotion begin a timeline of their own. A replica shows the timeline of its last restart point.
CREATE OR REPLACE FUNCTION installation_history() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.id || '.' || substr(md5(concat_ws(
               ' ', i.history, (SELECT system_identifier FROM pg_control_system()),
               (SELECT oid FROM pg_database WHERE datname = current_database()),
               CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                    -- At once after a promotion, before its first checkpoint.
                    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer END)), 1, 12)
      FROM instance i
$$;
REVOKE ALL ON FUNCTION installation_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION installation_history TO banca_api, banca_worker;

-- After a restore: begin a new history, and pass over the events' numbers that the time that is gone may have used.
-- Only the owner calls it. Gives the history that begins.
CREATE OR REPLACE FUNCTION begin_history(p_numbers_skipped bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    IF p_numbers_skipped < 0 THEN
        RAISE EXCEPTION 'numbers are skipped forwards only' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE instance SET history = gen_random_uuid();
    PERFORM setval('outbox_id', nextval('outbox_id') + p_numbers_skipped);
    RETURN installation_history();
END $$;
REVOKE ALL ON FUNCTION begin_history FROM PUBLIC;
