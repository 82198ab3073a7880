-- What becomes of tickets after their sale: prizes handed out, lists excluded, cancels taken back.

-- No statement of this migration may use them: a new value of an enum can be used from the next transaction on.
ALTER TYPE ticket_status ADD VALUE IF NOT EXISTS 'EXCLUDED';
ALTER TYPE sale_verdict ADD VALUE IF NOT EXISTS 'LISTA_EXCLUDED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'PAID';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'PAYMENT_REVERSED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'PAYMENT_FINALIZED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'RESTORED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'EXCLUDED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'INCLUDED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'REFUSED';

-- What was answered to an operation after the sale; its replay is rendered from this alone.
ALTER TABLE idempotency ADD COLUMN answer jsonb;

CREATE TYPE payment_method AS ENUM ('cash', 'transfer', 'check', 'other');

-- Prizes handed out to winners. That moves no account: the prize was credited when the draw was evaluated. A row is never
-- deleted; a reversed one says so and counts no more. Written under the ticket's lock.
CREATE TABLE ticket_payments (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    ticket_id uuid NOT NULL,
    -- 1, 2, 3, … of the ticket, whatever the evaluation.
    ordinal smallint NOT NULL CHECK (ordinal >= 1),
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    -- Of whose prizes: while that evaluation does not stand, its payments stand reversed.
    evaluation smallint NOT NULL CHECK (evaluation >= 1),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    method payment_method NOT NULL,
    notes text CHECK (length(notes) BETWEEN 1 AND 500),
    -- The customer waives what is left: asked for with the payment, or later (finalized_*).
    is_final boolean NOT NULL,
    paid_by uuid NOT NULL,
    paid_by_role user_role NOT NULL,
    terminal_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    finalized_at timestamptz,
    finalized_by uuid,
    finalized_notes text CHECK (length(finalized_notes) BETWEEN 1 AND 500),
    reversed_at timestamptz,
    reversed_by uuid,
    reversed_reason text CHECK (length(reversed_reason) BETWEEN 3 AND 500),
    PRIMARY KEY (banca_id, business_date, ticket_id, ordinal),
    CONSTRAINT ticket_payments_finalized_is_whole CHECK ((finalized_at IS NULL) = (finalized_by IS NULL)),
    CONSTRAINT ticket_payments_final_once CHECK (NOT is_final OR finalized_at IS NULL),
    CONSTRAINT ticket_payments_reversed_says_when CHECK (
        reversed_at IS NOT NULL OR num_nonnulls(reversed_by, reversed_reason) = 0)
) PARTITION BY RANGE (business_date);
CREATE INDEX ticket_payments_of_sorteo ON ticket_payments (banca_id, sorteo_id, sequence);

-- Lists that were not handed in: their bets do not count. One row per exclusion, kept when it is lifted.
CREATE TABLE lista_exclusions (
    banca_id uuid NOT NULL,
    id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    ventana_id uuid NOT NULL,
    -- null: of all its sellers.
    vendedor_id uuid,
    -- null: all bets; else those with this multiplier, and the REVENTADO on their numbers.
    multiplier_id uuid,
    reason text CHECK (length(reason) BETWEEN 3 AND 500),
    event_id bigint NOT NULL,
    -- What it took out.
    tickets_count integer NOT NULL DEFAULT 0 CHECK (tickets_count >= 0),
    jugadas_count integer NOT NULL DEFAULT 0 CHECK (jugadas_count >= 0),
    amount_cents bigint NOT NULL DEFAULT 0 CHECK (amount_cents >= 0),
    excluded_at timestamptz NOT NULL,
    excluded_by uuid NOT NULL,
    lifted_at timestamptz,
    lifted_by uuid,
    lifted_event_id bigint,
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos,
    FOREIGN KEY (banca_id, ventana_id) REFERENCES ventanas,
    FOREIGN KEY (banca_id, vendedor_id) REFERENCES users (banca_id, id),
    FOREIGN KEY (banca_id, multiplier_id) REFERENCES loteria_multipliers,
    CONSTRAINT lista_exclusions_lifted_is_whole CHECK (
        num_nonnulls(lifted_at, lifted_by, lifted_event_id) IN (0, 3))
);
CREATE UNIQUE INDEX lista_exclusions_same_only_once ON lista_exclusions
    (banca_id, sorteo_id, ventana_id, vendedor_id, multiplier_id) NULLS NOT DISTINCT WHERE lifted_at IS NULL;
CREATE INDEX lista_exclusions_by_time ON lista_exclusions (banca_id, excluded_at DESC, id DESC);

-- Whether an exclusion of the draw stands: what a sale looks at, under the lock that it holds anyway.
ALTER TABLE sorteos ADD COLUMN has_exclusions boolean NOT NULL DEFAULT false;

-- Which exclusion takes the jugada out; null: it counts, unless its ticket is cancelled.
ALTER TABLE jugadas ADD COLUMN exclusion_id uuid;

ALTER TABLE tickets ADD COLUMN restored_at timestamptz, ADD COLUMN restored_by uuid,
    ADD CONSTRAINT tickets_restore_is_whole CHECK ((restored_at IS NULL) = (restored_by IS NULL));

-- What became of jugadas after their sale: cancelled or excluded (is_live false), restored or included (true), by which
-- event. Where nothing is written of a jugada, it is live. Append-only.
CREATE TABLE jugada_moves (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    line smallint NOT NULL,
    event_id bigint NOT NULL,
    is_live boolean NOT NULL,
    PRIMARY KEY (banca_id, business_date, sorteo_id, sequence, line, event_id)
) PARTITION BY RANGE (business_date);
CREATE TRIGGER jugada_moves_append_only BEFORE UPDATE OR DELETE ON jugada_moves
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Under which rules a cancelled ticket came back: its limits were judged again. Append-only.
CREATE TABLE ticket_restores (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    event_id bigint NOT NULL,
    rulebook_version bigint NOT NULL,
    restored_by uuid NOT NULL,
    restored_by_role user_role NOT NULL,
    restored_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, business_date, sorteo_id, sequence, event_id)
) PARTITION BY RANGE (business_date);
CREATE TRIGGER ticket_restores_append_only BEFORE UPDATE OR DELETE ON ticket_restores
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ticket_payments', 'lista_exclusions', 'jugada_moves', 'ticket_restores'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
        EXECUTE format('GRANT INSERT ON %I TO banca_definer', name);
    END LOOP;
END $$;
GRANT UPDATE (finalized_at, finalized_by, finalized_notes, reversed_at, reversed_by, reversed_reason)
    ON ticket_payments TO banca_definer;
GRANT UPDATE (tickets_count, jugadas_count, amount_cents, lifted_at, lifted_by, lifted_event_id) ON lista_exclusions
    TO banca_definer;
GRANT UPDATE (has_exclusions) ON sorteos TO banca_definer;
GRANT UPDATE (exclusion_id) ON jugadas TO banca_definer;
GRANT UPDATE (restored_at, restored_by) ON tickets TO banca_definer;
GRANT UPDATE (allowed_overdraft_cents) ON accounts TO banca_definer;

-- The months that tickets have already.
SELECT ensure_partitions(to_date(right(c.relname, 7), 'YYYY_MM'))
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'tickets'::regclass
 ORDER BY c.relname;

-- Cancels from before.
INSERT INTO jugada_moves (banca_id, business_date, sorteo_id, sequence, line, event_id, is_live)
SELECT j.banca_id, j.business_date, j.sorteo_id, j.sequence, j.line, r.event_id, false
  FROM tickets t
  JOIN transfers r ON r.banca_id = t.banca_id AND r.business_date = t.business_date AND r.reference_id = t.id
       AND r.kind = 'SALE_REVERSAL'
  JOIN jugadas j ON j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
       AND j.sequence = t.sequence
 WHERE t.status = 'CANCELLED';
