-- Every rule at the till: restrictions, overrides, settings of a lottery, limits of a draw.

ALTER TABLE loteria_multipliers ADD COLUMN applies_to_date date;

CREATE TABLE multiplier_overrides (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    user_id uuid,
    ventana_id uuid,
    loteria_id uuid NOT NULL,
    multiplier_type text NOT NULL DEFAULT 'NUMERO',
    x_hundredths integer NOT NULL CHECK (x_hundredths BETWEEN 1 AND 999900),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, user_id) REFERENCES users (banca_id, id),
    FOREIGN KEY (banca_id, ventana_id) REFERENCES ventanas,
    FOREIGN KEY (banca_id, loteria_id) REFERENCES loterias,
    CONSTRAINT multiplier_overrides_one_scope CHECK (num_nonnulls(user_id, ventana_id) = 1)
);
CREATE UNIQUE INDEX multiplier_overrides_one_while_active ON multiplier_overrides
    (banca_id, loteria_id, multiplier_type, user_id, ventana_id) NULLS NOT DISTINCT WHERE is_active;

CREATE TABLE banca_loteria_settings (
    banca_id uuid NOT NULL REFERENCES bancas,
    loteria_id uuid NOT NULL,
    base_multiplier_x_hundredths integer CHECK (base_multiplier_x_hundredths BETWEEN 1 AND 999900),
    -- Cap of all that is sold of one draw; null: none.
    max_total_per_sorteo_cents bigint CHECK (max_total_per_sorteo_cents >= 0),
    is_active boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (banca_id, loteria_id),
    FOREIGN KEY (banca_id, loteria_id) REFERENCES loterias
);

-- Scope: a seller, else a ventana, else (whole_banca) the banca, else none. core/domain validates before a row is
-- written; the CHECKs keep what must never be.
CREATE TABLE restriction_rules (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    whole_banca boolean NOT NULL DEFAULT false,
    ventana_id uuid,
    user_id uuid,
    number smallint CHECK (number BETWEEN 0 AND 999),
    is_auto_date boolean NOT NULL DEFAULT false,
    max_amount_cents bigint CHECK (max_amount_cents > 0),
    max_total_cents bigint CHECK (max_total_cents > 0),
    base_amount_cents bigint CHECK (base_amount_cents >= 0),
    sales_basis_points integer CHECK (sales_basis_points BETWEEN 0 AND 10000),
    applies_to_vendedor boolean NOT NULL DEFAULT false,
    applies_to_date date,
    applies_to_hour smallint CHECK (applies_to_hour BETWEEN 0 AND 23),
    sales_cutoff_minutes smallint CHECK (sales_cutoff_minutes BETWEEN 0 AND 30),
    loteria_id uuid,
    multiplier_id uuid,
    message text CHECK (length(message) <= 255),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, user_id) REFERENCES users (banca_id, id),
    FOREIGN KEY (banca_id, ventana_id) REFERENCES ventanas,
    FOREIGN KEY (banca_id, loteria_id) REFERENCES loterias,
    FOREIGN KEY (banca_id, multiplier_id) REFERENCES loteria_multipliers,
    CONSTRAINT restriction_rules_one_scope CHECK (
        num_nonnulls(user_id, ventana_id) + whole_banca::integer <= 1),
    CONSTRAINT restriction_rules_pair CHECK ((loteria_id IS NULL) = (multiplier_id IS NULL)),
    CONSTRAINT restriction_rules_cutoff_is_alone CHECK (
        sales_cutoff_minutes IS NULL OR num_nonnulls(
            number, max_amount_cents, max_total_cents, base_amount_cents, sales_basis_points, loteria_id,
            multiplier_id) = 0 AND NOT is_auto_date),
    CONSTRAINT restriction_rules_auto_date_has_no_number CHECK (NOT is_auto_date OR number IS NULL)
);
CREATE UNIQUE INDEX restriction_rules_same_only_once ON restriction_rules
    (banca_id, user_id, ventana_id, whole_banca, number, is_auto_date, loteria_id, multiplier_id, applies_to_vendedor,
     applies_to_date, applies_to_hour, (sales_cutoff_minutes IS NULL)) NULLS NOT DISTINCT WHERE is_active;

-- A draw's own limits: what may be sold of each number, and of single ones instead; 0 blocks, no row and null do not.
ALTER TABLE sorteos ADD COLUMN global_limit_cents bigint CHECK (global_limit_cents >= 0);
CREATE TABLE sorteo_number_limits (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    number smallint NOT NULL CHECK (number BETWEEN 0 AND 999),
    max_amount_cents bigint NOT NULL CHECK (max_amount_cents >= 0),
    PRIMARY KEY (banca_id, sorteo_id, number),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos
);

-- Which counters of a draw are kept, besides the banca's own. A row is written with its counters' first sums, under
-- the draw's lock; from then on every sale and cancel moves what it matches, so a missing counter means 0.
CREATE TABLE exposure_tracking (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    scope exposure_scope NOT NULL,
    scope_id uuid NOT NULL,
    multiplier_key uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (banca_id, sorteo_id, scope, scope_id, multiplier_key)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['multiplier_overrides', 'banca_loteria_settings', 'restriction_rules',
                                'sorteo_number_limits', 'exposure_tracking'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['multiplier_overrides', 'banca_loteria_settings', 'restriction_rules',
                                'sorteo_number_limits'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS changed'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows()', name || '_insert_bump', name);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows()', name || '_update_bump', name);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS changed'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows()', name || '_delete_bump', name);
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %I TO banca_api', name);
    END LOOP;
END $$;
GRANT INSERT ON exposure_tracking TO banca_definer;

-- The limits of a draw are part of the rules.
CREATE FUNCTION bump_rulebook_of_sorteo() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_rulebook(NEW.banca_id);
    RETURN NULL;
END $$;
CREATE TRIGGER sorteos_limit_bump AFTER UPDATE OF global_limit_cents ON sorteos
    FOR EACH ROW WHEN (OLD.global_limit_cents IS DISTINCT FROM NEW.global_limit_cents)
    EXECUTE FUNCTION bump_rulebook_of_sorteo();

-- The application's role writes rules now; the version they make is still the owner's to write.
ALTER FUNCTION bump_rulebook(uuid) SECURITY DEFINER SET search_path = public, pg_temp;
GRANT EXECUTE ON FUNCTION bump_rulebook(uuid) TO banca_api;

-- sell_tickets takes other facts from here on; its file under sql/functions makes it anew.
DROP FUNCTION IF EXISTS sell_tickets;
DROP FUNCTION IF EXISTS sale_claims;
