-- Roles, the tenant, and the version of its configuration.
--
-- banca_definer owns the functions that move money; nobody logs in as it.
-- banca_api and banca_worker are what the processes log in as; the runner gives them passwords, or an
-- operator grants them to login roles of his own. Roles belong to the cluster, so they may exist already.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['banca_definer', 'banca_api', 'banca_worker'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT banca_definer TO %I', current_user);
    END IF;
END $$;

GRANT USAGE, CREATE ON SCHEMA public TO banca_definer;
GRANT USAGE ON SCHEMA public TO banca_api, banca_worker;

-- What distinguishes this installation on a broker or a cache that it shares with others.
CREATE TABLE instance (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id text NOT NULL DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 1, 8),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Tests may tell the till the time. Never set where tickets are sold.
    test_clock boolean NOT NULL DEFAULT false
);
INSERT INTO instance DEFAULT VALUES;

CREATE TABLE bancas (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 2 AND 100),
    code text NOT NULL UNIQUE CHECK (length(code) BETWEEN 2 AND 20),
    default_min_bet_cents bigint NOT NULL DEFAULT 0 CHECK (default_min_bet_cents >= 0),
    -- Cap of what may be sold on one number of one draw; null: no cap, 0: nothing.
    global_max_per_number_cents bigint CHECK (global_max_per_number_cents >= 0),
    sales_cutoff_minutes integer NOT NULL DEFAULT 1 CHECK (sales_cutoff_minutes BETWEEN 0 AND 30),
    commission_policy jsonb,
    max_sessions_per_vendedor integer NOT NULL DEFAULT 1 CHECK (max_sessions_per_vendedor BETWEEN 1 AND 20),
    vendor_limit integer CHECK (vendor_limit >= 0),
    address text,
    email text,
    phone text,
    is_active boolean NOT NULL DEFAULT true,
    rulebook_version bigint NOT NULL DEFAULT 1,
    rulebook_xact xid8,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Append-only. What a version allowed, so that every past sale can be judged by the caps of its day.
CREATE TABLE rulebook_versions (
    banca_id uuid NOT NULL REFERENCES bancas,
    version bigint NOT NULL,
    limits jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, version)
);

-- One bump per banca and transaction, however many rows of its configuration that transaction touches.
CREATE FUNCTION bump_rulebook(p_banca uuid) RETURNS void
LANGUAGE sql AS $$
    UPDATE bancas
       SET rulebook_version = rulebook_version + 1, rulebook_xact = pg_current_xact_id(), updated_at = now()
     WHERE id = p_banca AND rulebook_xact IS DISTINCT FROM pg_current_xact_id();
    INSERT INTO rulebook_versions AS v (banca_id, version, limits)
    SELECT id, rulebook_version, jsonb_build_object('globalMaxPerNumberCents', global_max_per_number_cents)
      FROM bancas WHERE id = p_banca
    ON CONFLICT (banca_id, version) DO UPDATE SET limits = excluded.limits;
$$;

-- Statement-level: the configuration tables call it with the rows that a statement changed.
CREATE FUNCTION bump_rulebook_of_rows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_rulebook(b.banca_id)
       FROM (SELECT DISTINCT banca_id FROM changed WHERE banca_id IS NOT NULL ORDER BY banca_id) b;
    RETURN NULL;
END $$;

CREATE FUNCTION bump_rulebook_of_banca() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_rulebook(NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER bancas_first_rulebook AFTER INSERT ON bancas
    FOR EACH ROW EXECUTE FUNCTION bump_rulebook_of_banca();
CREATE TRIGGER bancas_bump_rulebook AFTER UPDATE ON bancas
    FOR EACH ROW
    WHEN ((OLD.default_min_bet_cents, OLD.global_max_per_number_cents, OLD.sales_cutoff_minutes,
           OLD.commission_policy, OLD.is_active)
          IS DISTINCT FROM
          (NEW.default_min_bet_cents, NEW.global_max_per_number_cents, NEW.sales_cutoff_minutes,
           NEW.commission_policy, NEW.is_active))
    EXECUTE FUNCTION bump_rulebook_of_banca();

-- The tenant that this transaction works for; null when none was set, and then no row is visible.
CREATE FUNCTION current_banca() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('app.banca_id', true), '')::uuid
$$;
