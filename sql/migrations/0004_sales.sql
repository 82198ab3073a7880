-- Tickets and the money they move.
--
-- No foreign keys on the rows of a sale: sell_tickets is their only writer, it holds the locks of the draw and
-- the accounts it names, and `./banca verify` proves what the keys would promise. Each index earns its place:
-- keys are monotonic inside a draw, so that inserts go to the right-most page.

CREATE TYPE ticket_status AS ENUM ('ACTIVE', 'CANCELLED');

CREATE TABLE tickets (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    -- 1, 2, 3, … in the draw, without a gap.
    sequence bigint NOT NULL CHECK (sequence >= 1),
    id uuid NOT NULL,
    event_id bigint NOT NULL,
    rulebook_version bigint NOT NULL,
    ventana_id uuid NOT NULL,
    vendedor_id uuid NOT NULL,
    created_by uuid NOT NULL,
    created_by_role user_role NOT NULL,
    terminal_id uuid NOT NULL,
    total_cents bigint NOT NULL CHECK (total_cents > 0),
    -- All seller lines; of these, what is credited to the seller (origin USER); the listero's lines.
    commission_cents bigint NOT NULL CHECK (commission_cents BETWEEN 0 AND total_cents),
    seller_credit_cents bigint NOT NULL CHECK (seller_credit_cents BETWEEN 0 AND commission_cents),
    listero_commission_cents bigint NOT NULL CHECK (listero_commission_cents BETWEEN 0 AND total_cents),
    cliente_nombre text NOT NULL CHECK (length(cliente_nombre) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL,
    -- Written by later steps; a replay of the sale never reads below this line.
    status ticket_status NOT NULL DEFAULT 'ACTIVE',
    cancelled_at timestamptz,
    cancelled_by uuid,
    PRIMARY KEY (banca_id, business_date, sorteo_id, sequence),
    CONSTRAINT tickets_cancel_is_whole CHECK (
        (status = 'CANCELLED') = (cancelled_at IS NOT NULL) AND (cancelled_at IS NULL) = (cancelled_by IS NULL))
) PARTITION BY RANGE (business_date);
CREATE UNIQUE INDEX tickets_by_id ON tickets (banca_id, id, business_date);
CREATE INDEX tickets_of_vendedor ON tickets (banca_id, vendedor_id, id);

CREATE TYPE commission_origin AS ENUM ('USER', 'VENTANA', 'BANCA');

CREATE TABLE jugadas (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    line smallint NOT NULL CHECK (line >= 1),
    number smallint NOT NULL CHECK (number BETWEEN 0 AND 999),
    type jugada_type NOT NULL,
    commission_origin commission_origin,
    multiplier_x_hundredths integer NOT NULL CHECK (multiplier_x_hundredths >= 0),
    commission_basis_points integer NOT NULL CHECK (commission_basis_points BETWEEN 0 AND 10000),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    commission_cents bigint NOT NULL CHECK (commission_cents BETWEEN 0 AND amount_cents),
    listero_commission_cents bigint NOT NULL CHECK (listero_commission_cents BETWEEN 0 AND amount_cents),
    multiplier_id uuid,
    commission_rule_id text,
    PRIMARY KEY (banca_id, business_date, sorteo_id, sequence, line)
) PARTITION BY RANGE (business_date);

CREATE TYPE account_kind AS ENUM ('SELLER', 'VENTANA', 'SALES', 'PRIZES', 'COMMISSIONS', 'CASH');

-- A seller's or ventana's account has its owner's id. Only sellers' balances are stored; the others are the
-- sum of their transfers, so that no row of the house is hot. Balance = credits − debits.
CREATE TABLE accounts (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL,
    kind account_kind NOT NULL,
    balance_cents bigint,
    -- Moves with every change of the balance; a cache never replaces a newer version.
    balance_version bigint NOT NULL DEFAULT 0,
    -- null: no limit; 0: prepaid.
    credit_limit_cents bigint CHECK (credit_limit_cents >= 0),
    allowed_overdraft_cents bigint NOT NULL DEFAULT 0 CHECK (allowed_overdraft_cents >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    CONSTRAINT accounts_store_sellers_only CHECK ((kind = 'SELLER') = (balance_cents IS NOT NULL)),
    CONSTRAINT accounts_limit_sellers_only CHECK (kind = 'SELLER' OR credit_limit_cents IS NULL),
    CONSTRAINT accounts_within_credit CHECK (
        credit_limit_cents IS NULL OR balance_cents + credit_limit_cents + allowed_overdraft_cents >= 0)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX accounts_one_of_the_house ON accounts (banca_id, kind) WHERE kind NOT IN ('SELLER', 'VENTANA');

CREATE TYPE transfer_kind AS ENUM (
    'SALE', 'COMMISSION', 'LISTERO_COMMISSION',
    'SALE_REVERSAL', 'COMMISSION_REVERSAL', 'LISTERO_COMMISSION_REVERSAL');

-- The ledger: one row moves one amount between two accounts. What it refers to is in its key, so that an effect
-- cannot be posted twice; ordinal counts repetitions that are meant (a sale restored after its cancel).
CREATE TABLE transfers (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    reference_id uuid NOT NULL,
    event_id bigint NOT NULL,
    kind transfer_kind NOT NULL,
    ordinal smallint NOT NULL DEFAULT 1 CHECK (ordinal >= 1),
    debit_account_id uuid NOT NULL,
    credit_account_id uuid NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, business_date, reference_id, kind, ordinal),
    CONSTRAINT transfers_move_between_two CHECK (debit_account_id <> credit_account_id)
) PARTITION BY RANGE (business_date);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE ON transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TYPE idempotency_outcome AS ENUM (
    'SOLD', 'SOLD_OUT', 'NO_FUNDS', 'CLOSED', 'TOMBSTONE', 'CANCELLED', 'CANCELLED_UNSOLD', 'CANCEL_REFUSED');

-- One row per key and acting user: what was answered, and what it referred to. Not partitioned by time:
-- a key must be unique however long it is kept.
CREATE TABLE idempotency (
    banca_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 8 AND 100),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    outcome idempotency_outcome NOT NULL,
    render_version smallint NOT NULL DEFAULT 1,
    business_date date,
    sorteo_id uuid,
    sequence bigint,
    violations jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, actor_id, key),
    CONSTRAINT idempotency_sale_names_its_ticket CHECK (
        outcome NOT IN ('SOLD', 'CANCELLED') OR (business_date, sorteo_id, sequence) IS NOT NULL)
);

-- What is sold of a number, per draw, scope and multiplier key. The banca's own counter of each number is always
-- kept: scope 'BANCA', scope_id = banca_id, multiplier_key = the nil uuid (all jugadas). number −1 is the
-- scope's sales as a whole.
CREATE TYPE exposure_scope AS ENUM ('BANCA', 'VENTANA', 'VENDEDOR');

CREATE TABLE exposure (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    scope exposure_scope NOT NULL,
    scope_id uuid NOT NULL,
    multiplier_key uuid NOT NULL,
    number smallint NOT NULL CHECK (number BETWEEN -1 AND 999),
    amount_cents bigint NOT NULL CONSTRAINT exposure_never_negative CHECK (amount_cents >= 0),
    PRIMARY KEY (banca_id, sorteo_id, scope, scope_id, multiplier_key, number)
) WITH (fillfactor = 50);

-- How sell_tickets judged a ticket. core/till/outcomes.py gives each its meaning for the caller.
CREATE TYPE sale_verdict AS ENUM (
    'SOLD', 'KNOWN', 'MISMATCH', 'CANCELLED_BEFORE_SALE', 'STALE',
    'BANCA_INACTIVE', 'SESSION_REVOKED', 'USER_INACTIVE', 'VENTANA_INACTIVE', 'TERMINAL_DISABLED',
    'TERMINAL_KEY_REVOKED', 'TERMINAL_MISMATCH', 'SELLER_NOT_FOUND', 'SORTEO_NOT_FOUND', 'SORTEO_NOT_OPEN',
    'CLOSED', 'CUTOFF', 'SOLD_OUT', 'NO_FUNDS');

-- A partition per month, named after it. Safe to call at any time, by anyone who may create a draw.
CREATE FUNCTION ensure_partitions(p_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    first_day date := date_trunc('month', p_day);
    child text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['tickets', 'jugadas', 'transfers', 'activity_log'] LOOP
        child := parent || to_char(first_day, '_YYYY_MM');
        -- A query, not to_regclass: that one may answer from before we waited for the lock.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = child AND c.relnamespace = 'public'::regnamespace);
        PERFORM pg_advisory_xact_lock(hashtext('banca.partitions'));
        CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = child AND c.relnamespace = 'public'::regnamespace);
        -- LIKE and ATTACH lock the parent less than CREATE … PARTITION OF: sales go on meanwhile.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       parent, child, first_day, (first_day + interval '1 month')::date);
    END LOOP;
END $$;
