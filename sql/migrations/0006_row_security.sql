-- Who sees and may do what. Deny by default: a table without a policy shows nothing to the application's roles.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'ventanas', 'user_bancas', 'terminals', 'loterias', 'loteria_multipliers', 'sorteos', 'tickets', 'jugadas',
        'accounts', 'transfers', 'idempotency', 'exposure', 'rulebook_versions', 'activity_log', 'audit_chain'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        -- The sub-select makes it one look-up per statement instead of one per row.
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
    END LOOP;
END $$;

ALTER TABLE bancas ENABLE ROW LEVEL SECURITY;
CREATE POLICY bancas_own ON bancas TO banca_api, banca_worker USING (id = (SELECT current_banca()));
CREATE POLICY bancas_all ON bancas TO banca_definer USING (true);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_of_the_banca ON users TO banca_api, banca_worker USING (banca_id = (SELECT current_banca()));
CREATE POLICY users_all ON users TO banca_definer USING (true);
-- Login, refresh and the check of a terminal come before the tenant is known: only their functions see across.
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_all ON sessions TO banca_definer USING (true) WITH CHECK (true);
CREATE POLICY terminals_all ON terminals TO banca_definer USING (true) WITH CHECK (true);
CREATE POLICY user_bancas_all ON user_bancas TO banca_definer USING (true);
-- The pipeline carries every banca's events.
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY outbox_of_the_pipeline ON outbox TO banca_worker USING (true);
CREATE POLICY outbox_written_by_functions ON outbox TO banca_definer USING (true) WITH CHECK (true);
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY inbox_of_the_pipeline ON inbox TO banca_worker USING (true) WITH CHECK (true);

GRANT SELECT ON bancas, ventanas, user_bancas, terminals, loterias, loteria_multipliers, loteria_templates, sorteos,
    tickets, jugadas, accounts, transfers, idempotency, exposure, rulebook_versions, activity_log, audit_chain, instance
    TO banca_api, banca_worker;
GRANT SELECT (id, banca_id, ventana_id, role, username, name, email, phone, code, commission_policy, settings,
    max_sessions_per_vendedor, rate_limited, is_active, created_at, updated_at) ON users TO banca_api, banca_worker;
GRANT INSERT ON terminals TO banca_api;
GRANT UPDATE (name, is_active, vendedor_id, master_key_id, key_version, previous_master_key_id, previous_key_version,
    previous_valid_until, updated_at) ON terminals TO banca_api;
GRANT SELECT, UPDATE (published_at, publish_count) ON outbox TO banca_worker;
GRANT SELECT, INSERT ON inbox, activity_log, audit_chain TO banca_worker;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO banca_definer;
GRANT INSERT ON tickets, jugadas, transfers, idempotency, exposure, outbox TO banca_definer;
GRANT INSERT, UPDATE ON sessions TO banca_definer;
GRANT UPDATE (status, cancelled_at, cancelled_by) ON tickets TO banca_definer;
GRANT UPDATE (balance_cents, balance_version) ON accounts TO banca_definer;
GRANT UPDATE (amount_cents) ON exposure TO banca_definer;
GRANT UPDATE (last_sequence, updated_at) ON sorteos TO banca_definer;
GRANT UPDATE (last_used_at) ON sessions TO banca_definer;
GRANT UPDATE (password_hash, updated_at) ON users TO banca_definer;
GRANT USAGE ON SEQUENCE outbox_id TO banca_definer;

REVOKE ALL ON FUNCTION ensure_partitions(date), bump_rulebook(uuid) FROM PUBLIC;
