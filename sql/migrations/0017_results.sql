-- Results of draws, and the prizes that follow from them.

-- No statement of this migration may use them: a new value of an enum can be used from the next transaction on.
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'PRIZE';
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'PRIZE_REVERSAL';

-- RUNNING: prizes are being paid; DONE: the draw is EVALUATED; REVERTING: prizes are being taken back; REVERTED: the
-- draw is CLOSED again. A ticket's prizes may be handed out while its draw's result is DONE.
CREATE TYPE result_state AS ENUM ('RUNNING', 'DONE', 'REVERTING', 'REVERTED');

-- What came out of a draw: one row per evaluation, of which at most one stands. Of a reverted one the row stays as it was.
CREATE TABLE sorteo_results (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    -- 1, 2, …: how often the draw was evaluated; its prizes' transfers have it for their ordinal.
    evaluation smallint NOT NULL CHECK (evaluation >= 1),
    winning_number smallint NOT NULL CHECK (winning_number BETWEEN 0 AND 999),
    -- What REVENTADO pays; null: it loses.
    extra_multiplier_id uuid,
    extra_x_hundredths integer CHECK (extra_x_hundredths >= 1),
    extra_outcome_code text CHECK (length(extra_outcome_code) BETWEEN 1 AND 32),
    state result_state NOT NULL DEFAULT 'RUNNING',
    -- Progress: the first ticket that is not worked off yet, while paying as while taking back; and the last there is.
    next_sequence bigint NOT NULL DEFAULT 1 CHECK (next_sequence >= 1),
    last_sequence bigint NOT NULL CHECK (last_sequence >= 0),
    progressed_at timestamptz NOT NULL,
    -- What was paid so far; after that the settlement ledger: in − out = profit.
    total_out_cents bigint NOT NULL DEFAULT 0 CHECK (total_out_cents >= 0),
    winning_tickets integer NOT NULL DEFAULT 0 CHECK (winning_tickets >= 0),
    total_in_cents bigint,
    net_profit_cents bigint,
    has_winner boolean GENERATED ALWAYS AS (winning_tickets > 0) STORED,
    settled_at timestamptz,
    -- The event that asked for it, which the transfers of its prizes carry.
    event_id bigint NOT NULL,
    requested_by uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    request_id text,
    revert_event_id bigint,
    revert_requested_by uuid,
    revert_requested_at timestamptz,
    revert_request_id text,
    revert_reason text CHECK (length(revert_reason) BETWEEN 3 AND 200),
    -- Although prizes had been paid in cash.
    revert_forced boolean NOT NULL DEFAULT false,
    reverted_by uuid,
    reverted_at timestamptz,
    PRIMARY KEY (banca_id, sorteo_id, evaluation),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos,
    FOREIGN KEY (banca_id, extra_multiplier_id) REFERENCES loteria_multipliers,
    CONSTRAINT sorteo_results_extra_is_whole CHECK (
        (extra_multiplier_id IS NULL) = (extra_x_hundredths IS NULL)
        AND (extra_multiplier_id IS NULL) = (extra_outcome_code IS NULL)),
    CONSTRAINT sorteo_results_settled_once_paid CHECK (
        (state = 'RUNNING') = (settled_at IS NULL)
        AND num_nonnulls(settled_at, total_in_cents, net_profit_cents) IN (0, 3)),
    CONSTRAINT sorteo_results_profit_is_in_less_out CHECK (net_profit_cents = total_in_cents - total_out_cents),
    CONSTRAINT sorteo_results_revert_is_whole CHECK (
        (state IN ('REVERTING', 'REVERTED')) = (revert_event_id IS NOT NULL)
        AND num_nonnulls(revert_event_id, revert_requested_by, revert_requested_at, revert_reason) IN (0, 4)),
    CONSTRAINT sorteo_results_reverted_says_when CHECK (
        (state = 'REVERTED') = (reverted_at IS NOT NULL) AND (reverted_at IS NULL) = (reverted_by IS NULL))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX sorteo_results_one_stands ON sorteo_results (banca_id, sorteo_id) WHERE state <> 'REVERTED';
-- What workers have to do, of every banca.
CREATE INDEX sorteo_results_under_way ON sorteo_results (progressed_at) WHERE state IN ('RUNNING', 'REVERTING');

-- What jugadas won. A row is never taken back: it counts while its evaluation stands.
CREATE TABLE prizes (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    line smallint NOT NULL,
    evaluation smallint NOT NULL CHECK (evaluation >= 1),
    vendedor_id uuid NOT NULL,
    -- The jugada's own of NUMERO, the result's of REVENTADO.
    x_hundredths integer NOT NULL CHECK (x_hundredths >= 1),
    multiplier_id uuid,
    -- Stake × x, half a cent up, per jugada.
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    PRIMARY KEY (banca_id, business_date, sorteo_id, sequence, line, evaluation)
) PARTITION BY RANGE (business_date);
CREATE TRIGGER prizes_append_only BEFORE UPDATE OR DELETE ON prizes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sorteo_results', 'prizes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
    END LOOP;
END $$;
CREATE POLICY sorteo_results_all ON sorteo_results FOR SELECT TO banca_definer USING (true);
GRANT INSERT, UPDATE ON sorteo_results TO banca_definer;
GRANT INSERT ON prizes TO banca_definer;
GRANT UPDATE (allowed_overdraft_cents) ON accounts TO banca_definer;

-- A draw whose prizes are being paid goes nowhere but to EVALUATED.
CREATE FUNCTION hold_evaluated_sorteo() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM sorteo_results r
                WHERE r.banca_id = NEW.banca_id AND r.sorteo_id = NEW.id AND r.state = 'RUNNING') THEN
        RAISE EXCEPTION 'the prizes of sorteo % are being paid', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sorteos_hold_while_paid';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sorteos_hold_while_paid BEFORE UPDATE OF status ON sorteos
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'EVALUATED')
    EXECUTE FUNCTION hold_evaluated_sorteo();

-- A partition per month, named after it, of every table that has them. Safe to call at any time, by anyone who may
-- create a draw.
CREATE OR REPLACE FUNCTION ensure_partitions(p_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    first_day date := date_trunc('month', p_day);
    child text;
BEGIN
    FOR parent IN SELECT c.relname FROM pg_class c
                   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'p' ORDER BY c.relname LOOP
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

-- The months that tickets have already.
SELECT ensure_partitions(to_date(right(c.relname, 7), 'YYYY_MM'))
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'tickets'::regclass
 ORDER BY c.relname;
