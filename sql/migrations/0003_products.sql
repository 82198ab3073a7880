-- What is sold: lotteries, their multipliers, their draws.

-- Global lotteries are templates of their own, so that banca_id is never null in a tenant's table.
CREATE TABLE loteria_templates (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 2 AND 100),
    rules jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rules) = 'object'),
    -- [{"name", "valueX" (text, two decimals), "kind"}]
    multipliers jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(multipliers) = 'array'),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE loterias (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    template_id uuid REFERENCES loteria_templates,
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 100),
    -- rulesJson; validated by core/domain/loteria_rules.py before it is written.
    rules jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rules) = 'object'),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    UNIQUE (banca_id, name)
);

CREATE TYPE jugada_type AS ENUM ('NUMERO', 'REVENTADO');

CREATE TABLE loteria_multipliers (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    loteria_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 32),
    kind jugada_type NOT NULL DEFAULT 'NUMERO',
    -- Hundredths: 90.00 is 9000.
    value_x_hundredths integer NOT NULL CHECK (value_x_hundredths BETWEEN 1 AND 999900),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, loteria_id) REFERENCES loterias
);
CREATE UNIQUE INDEX loteria_multipliers_name_unique_while_active
    ON loteria_multipliers (banca_id, loteria_id, name) WHERE is_active;

CREATE TYPE sorteo_status AS ENUM ('SCHEDULED', 'OPEN', 'CLOSED', 'EVALUATED');

CREATE TABLE sorteos (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    loteria_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    digits smallint NOT NULL DEFAULT 2 CHECK (digits IN (2, 3)),
    status sorteo_status NOT NULL DEFAULT 'SCHEDULED',
    is_active boolean NOT NULL DEFAULT true,
    scheduled_at timestamptz NOT NULL,
    -- Costa Rica's date of scheduled_at; partitions and ticket numbers follow it.
    business_date date NOT NULL
        CONSTRAINT sorteos_business_date_is_costa_ricas
        CHECK (business_date = (scheduled_at AT TIME ZONE 'UTC' - interval '6 hours')::date),
    -- Which draw of its day this is, in its banca: 1, 2, …
    daily_ordinal smallint NOT NULL CHECK (daily_ordinal >= 1),
    last_sequence bigint NOT NULL DEFAULT 0 CHECK (last_sequence >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    UNIQUE (banca_id, loteria_id, scheduled_at),
    UNIQUE (banca_id, business_date, daily_ordinal),
    FOREIGN KEY (banca_id, loteria_id) REFERENCES loterias
) WITH (fillfactor = 50);
CREATE INDEX sorteos_by_time ON sorteos (banca_id, scheduled_at DESC, id DESC);

-- The order of draws in their day is given once, under the banca's row lock, and never moves.
CREATE FUNCTION number_sorteo() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.business_date := (NEW.scheduled_at AT TIME ZONE 'UTC' - interval '6 hours')::date;
    PERFORM 1 FROM bancas WHERE id = NEW.banca_id FOR NO KEY UPDATE;
    SELECT coalesce(max(daily_ordinal), 0) + 1 INTO NEW.daily_ordinal
      FROM sorteos WHERE banca_id = NEW.banca_id AND business_date = NEW.business_date;
    PERFORM ensure_partitions(NEW.business_date);
    RETURN NEW;
END $$;
CREATE TRIGGER sorteos_number BEFORE INSERT ON sorteos FOR EACH ROW EXECUTE FUNCTION number_sorteo();

-- What the first sale fixes; and a draw that moves to another day before that gets a place in that day.
CREATE FUNCTION move_sorteo() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.scheduled_at, NEW.loteria_id, NEW.digits, NEW.business_date, NEW.daily_ordinal) IS NOT DISTINCT FROM
       (OLD.scheduled_at, OLD.loteria_id, OLD.digits, OLD.business_date, OLD.daily_ordinal) THEN
        RETURN NEW;
    END IF;
    IF OLD.last_sequence > 0 THEN
        RAISE EXCEPTION 'time, lottery, digits and place of sorteo % are fixed by its first sale', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sorteos_fixed_by_first_sale';
    END IF;
    NEW.business_date := (NEW.scheduled_at AT TIME ZONE 'UTC' - interval '6 hours')::date;
    IF NEW.business_date <> OLD.business_date THEN
        PERFORM 1 FROM bancas WHERE id = NEW.banca_id FOR NO KEY UPDATE;
        SELECT coalesce(max(daily_ordinal), 0) + 1 INTO NEW.daily_ordinal
          FROM sorteos WHERE banca_id = NEW.banca_id AND business_date = NEW.business_date;
        PERFORM ensure_partitions(NEW.business_date);
    END IF;
    PERFORM bump_rulebook(NEW.banca_id);
    RETURN NEW;
END $$;
CREATE TRIGGER sorteos_move BEFORE UPDATE OF scheduled_at, loteria_id, digits, business_date, daily_ordinal ON sorteos
    FOR EACH ROW EXECUTE FUNCTION move_sorteo();

CREATE TRIGGER loterias_insert_bump AFTER INSERT ON loterias
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER loterias_update_bump AFTER UPDATE ON loterias
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER loteria_multipliers_insert_bump AFTER INSERT ON loteria_multipliers
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER loteria_multipliers_update_bump AFTER UPDATE ON loteria_multipliers
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
