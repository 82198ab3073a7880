-- What each seller, ventana and banca owes, day by day: statements, the movements between them and the bank, closings.

-- No statement of this migration may use them: a new value of an enum can be used from the next transaction on.
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'PAYMENT';
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'PAYMENT_REVERSAL';
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'COLLECTION';
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'COLLECTION_REVERSAL';
-- Whom the banca itself answers to: the other side of its own movements.
ALTER TYPE account_kind ADD VALUE IF NOT EXISTS 'OWNER';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'MOVEMENT_REGISTERED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'MOVEMENT_REVERSED';
-- As text: their values are new too.
ALTER TABLE idempotency ADD CONSTRAINT idempotency_movement_has_its_answer CHECK (
    outcome::text NOT IN ('MOVEMENT_REGISTERED', 'MOVEMENT_REVERSED') OR answer IS NOT NULL);

-- An instant's day in Costa Rica (core/domain/calendar.py).
CREATE FUNCTION costa_rica_date(p_at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (p_at AT TIME ZONE 'UTC' - interval '6 hours')::date $$;

CREATE TYPE statement_dimension AS ENUM ('VENDEDOR', 'VENTANA', 'BANCA');
CREATE TYPE movement_type AS ENUM ('payment', 'collection');

-- What a draw came to, for each seller in each ventana: summed when it is evaluated, since from then on no ticket of it
-- can change. A row counts while its evaluation stands. Append-only; `./banca verify` sums the jugadas anew.
CREATE TABLE sorteo_takings (
    banca_id uuid NOT NULL,
    business_date date NOT NULL,
    sorteo_id uuid NOT NULL,
    evaluation smallint NOT NULL CHECK (evaluation >= 1),
    vendedor_id uuid NOT NULL,
    ventana_id uuid NOT NULL,
    sales_cents bigint NOT NULL CHECK (sales_cents >= 0),
    payouts_cents bigint NOT NULL CHECK (payouts_cents >= 0),
    -- All seller lines; of these, what is the seller's own (origin USER); the listero's.
    commission_cents bigint NOT NULL CHECK (commission_cents >= 0),
    vendedor_commission_cents bigint NOT NULL CHECK (vendedor_commission_cents BETWEEN 0 AND commission_cents),
    listero_commission_cents bigint NOT NULL CHECK (listero_commission_cents >= 0),
    ticket_count integer NOT NULL CHECK (ticket_count >= 0),
    winning_tickets integer NOT NULL CHECK (winning_tickets BETWEEN 0 AND ticket_count),
    PRIMARY KEY (banca_id, business_date, sorteo_id, evaluation, vendedor_id, ventana_id)
) PARTITION BY RANGE (business_date);
CREATE INDEX sorteo_takings_of_vendedor ON sorteo_takings (banca_id, vendedor_id, business_date);
CREATE TRIGGER sorteo_takings_append_only BEFORE UPDATE OR DELETE ON sorteo_takings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Money handed over between the bank and one of its sellers or ventanas, or the banca and its owner: `payment` out of the
-- bank, `collection` into it. A row is never deleted; a reversed one says so and counts no more.
CREATE TABLE movements (
    banca_id uuid NOT NULL,
    id uuid NOT NULL,
    dimension statement_dimension NOT NULL,
    -- A seller, a ventana, or the banca.
    entity_id uuid NOT NULL,
    -- Of a seller: where it belonged then.
    ventana_id uuid,
    -- Costa Rica's; occurred_at is the instant of both.
    business_date date NOT NULL,
    occurred_at timestamptz NOT NULL,
    type movement_type NOT NULL,
    method payment_method NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    notes text CHECK (length(notes) BETWEEN 1 AND 500),
    is_final boolean NOT NULL,
    registered_by uuid NOT NULL,
    registered_by_role user_role NOT NULL,
    registered_by_name text NOT NULL,
    created_at timestamptz NOT NULL,
    reversed_at timestamptz,
    reversed_by uuid,
    reversed_reason text CHECK (length(reversed_reason) BETWEEN 5 AND 500),
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id) REFERENCES bancas,
    CONSTRAINT movements_have_their_day CHECK (business_date = costa_rica_date(occurred_at)),
    CONSTRAINT movements_of_the_banca_name_it CHECK (dimension <> 'BANCA' OR entity_id = banca_id),
    CONSTRAINT movements_reversed_says_who CHECK (
        (reversed_at IS NULL) = (reversed_by IS NULL) AND (reversed_at IS NOT NULL OR reversed_reason IS NULL))
);
CREATE INDEX movements_of_day ON movements (banca_id, business_date, dimension, entity_id);

-- From this instant on a seller's statement begins at 0 again; its account stays as it is. The tickets and movements of
-- that day and later ones that were there before the instant do not count.
CREATE TABLE balance_resets (
    banca_id uuid NOT NULL,
    vendedor_id uuid NOT NULL,
    -- 1, 2, … of the seller.
    ordinal smallint NOT NULL CHECK (ordinal >= 1),
    at timestamptz NOT NULL,
    business_date date NOT NULL,
    -- That day, and the later days of draws that had sold tickets before the instant.
    cut_days date[] NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    reverted_at timestamptz,
    reverted_by uuid,
    PRIMARY KEY (banca_id, vendedor_id, ordinal),
    FOREIGN KEY (banca_id, vendedor_id) REFERENCES users (banca_id, id),
    CONSTRAINT balance_resets_have_their_day CHECK (business_date = costa_rica_date(at)),
    CONSTRAINT balance_resets_reverted_says_who CHECK ((reverted_at IS NULL) = (reverted_by IS NULL))
);

-- A day of a seller, a ventana or the banca: closing = opening + balance + corrections + paid − collected. Positive means
-- that it holds money of the bank's. Ventana and banca have what all their sellers had, and movements of their own.
-- A settled row, and every day up to it, is closed for ever: what is found out later is a correction of a later day.
CREATE TABLE statements (
    banca_id uuid NOT NULL,
    dimension statement_dimension NOT NULL,
    entity_id uuid NOT NULL,
    business_date date NOT NULL,
    opening_cents bigint NOT NULL DEFAULT 0,
    sales_cents bigint NOT NULL DEFAULT 0 CHECK (sales_cents >= 0),
    payouts_cents bigint NOT NULL DEFAULT 0 CHECK (payouts_cents >= 0),
    listero_commission_cents bigint NOT NULL DEFAULT 0 CHECK (listero_commission_cents >= 0),
    vendedor_commission_cents bigint NOT NULL DEFAULT 0 CHECK (vendedor_commission_cents >= 0),
    ticket_count integer NOT NULL DEFAULT 0 CHECK (ticket_count >= 0),
    balance_cents bigint GENERATED ALWAYS AS (
        sales_cents - payouts_cents - CASE dimension WHEN 'VENDEDOR' THEN vendedor_commission_cents
                                                     ELSE listero_commission_cents END) STORED,
    corrections_cents bigint NOT NULL DEFAULT 0,
    paid_cents bigint NOT NULL DEFAULT 0 CHECK (paid_cents >= 0),
    collected_cents bigint NOT NULL DEFAULT 0 CHECK (collected_cents >= 0),
    closing_cents bigint GENERATED ALWAYS AS (
        opening_cents + sales_cents - payouts_cents
        - CASE dimension WHEN 'VENDEDOR' THEN vendedor_commission_cents ELSE listero_commission_cents END
        + corrections_cents + paid_cents - collected_cents) STORED,
    settled_at timestamptz,
    -- null: by itself.
    settled_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, dimension, entity_id, business_date),
    FOREIGN KEY (banca_id) REFERENCES bancas
) WITH (fillfactor = 80);
CREATE INDEX statements_of_day ON statements (banca_id, dimension, business_date);
CREATE INDEX statements_to_settle ON statements (banca_id, business_date, dimension, entity_id)
    WHERE settled_at IS NULL AND ticket_count > 0;
CREATE INDEX statements_settled ON statements (banca_id, dimension, entity_id, business_date)
    WHERE settled_at IS NOT NULL;

CREATE FUNCTION keep_settled_statement() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the statement of % on % is settled', OLD.entity_id, OLD.business_date
        USING ERRCODE = 'check_violation', CONSTRAINT = 'statements_settled_stay';
END $$;
CREATE TRIGGER statements_settled_stay BEFORE UPDATE OR DELETE ON statements
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL) EXECUTE FUNCTION keep_settled_statement();

-- What a reset left out of a seller's day, so that the uncut day can be told. A row is there where it left out anything.
CREATE TABLE statement_cuts (
    banca_id uuid NOT NULL,
    vendedor_id uuid NOT NULL,
    business_date date NOT NULL,
    sales_cents bigint NOT NULL,
    payouts_cents bigint NOT NULL,
    listero_commission_cents bigint NOT NULL,
    vendedor_commission_cents bigint NOT NULL,
    ticket_count integer NOT NULL,
    paid_cents bigint NOT NULL,
    collected_cents bigint NOT NULL,
    PRIMARY KEY (banca_id, vendedor_id, business_date)
);

-- What was found out about a closed day (business_date), posted on a later one: what it should say, less what it says and
-- what was posted of it before. Append-only.
CREATE TABLE statement_corrections (
    banca_id uuid NOT NULL,
    dimension statement_dimension NOT NULL,
    entity_id uuid NOT NULL,
    posted_on date NOT NULL,
    -- 1, 2, … of that day.
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    business_date date NOT NULL,
    sales_cents bigint NOT NULL,
    payouts_cents bigint NOT NULL,
    listero_commission_cents bigint NOT NULL,
    vendedor_commission_cents bigint NOT NULL,
    ticket_count integer NOT NULL,
    paid_cents bigint NOT NULL,
    collected_cents bigint NOT NULL,
    net_cents bigint GENERATED ALWAYS AS (
        sales_cents - payouts_cents
        - CASE dimension WHEN 'VENDEDOR' THEN vendedor_commission_cents ELSE listero_commission_cents END
        + paid_cents - collected_cents) STORED,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, dimension, entity_id, posted_on, ordinal),
    CONSTRAINT statement_corrections_come_later CHECK (posted_on > business_date)
);
CREATE INDEX statement_corrections_of_day ON statement_corrections (banca_id, dimension, entity_id, business_date);
CREATE TRIGGER statement_corrections_append_only BEFORE UPDATE OR DELETE ON statement_corrections
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Which days have to be computed anew, written in the transaction of what changed them. Many rows may ask for one day.
CREATE TABLE statement_work (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    banca_id uuid NOT NULL,
    dimension statement_dimension NOT NULL,
    entity_id uuid NOT NULL,
    business_date date NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX statement_work_of_banca ON statement_work (banca_id, id);
CREATE INDEX statement_work_of_entity ON statement_work (banca_id, dimension, entity_id, business_date);

-- A month as it ended: closing = opening + movement + what a reset left out. Written anew when a day of it changes.
CREATE TABLE monthly_closings (
    banca_id uuid NOT NULL,
    -- Its first day.
    month date NOT NULL CHECK (month = date_trunc('month', month)),
    dimension statement_dimension NOT NULL,
    entity_id uuid NOT NULL,
    opening_cents bigint NOT NULL,
    sales_cents bigint NOT NULL,
    payouts_cents bigint NOT NULL,
    -- The seller's own for a seller, the listero's for the others.
    commission_cents bigint NOT NULL,
    corrections_cents bigint NOT NULL,
    paid_cents bigint NOT NULL,
    collected_cents bigint NOT NULL,
    ticket_count integer NOT NULL,
    movement_cents bigint GENERATED ALWAYS AS (
        sales_cents - payouts_cents - commission_cents + corrections_cents + paid_cents - collected_cents) STORED,
    reset_cents bigint NOT NULL DEFAULT 0,
    closing_cents bigint NOT NULL,
    closed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, month, dimension, entity_id),
    CONSTRAINT monthly_closings_add_up CHECK (
        closing_cents = opening_cents + sales_cents - payouts_cents - commission_cents + corrections_cents + paid_cents
                        - collected_cents + reset_cents)
);
CREATE INDEX monthly_closings_of_entity ON monthly_closings (banca_id, dimension, entity_id, month);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sorteo_takings', 'movements', 'balance_resets', 'statements', 'statement_cuts',
                                'statement_corrections', 'statement_work', 'monthly_closings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
        EXECUTE format('GRANT INSERT ON %I TO banca_definer', name);
    END LOOP;
END $$;
-- The workers look across: SELECT … FOR UPDATE of what waits, of every banca.
CREATE POLICY statement_work_all ON statement_work FOR SELECT TO banca_definer USING (true);
GRANT UPDATE (reversed_at, reversed_by, reversed_reason) ON movements TO banca_definer;
GRANT UPDATE (reverted_at, reverted_by, cut_days) ON balance_resets TO banca_definer;
GRANT UPDATE ON statements, statement_cuts, statement_work, monthly_closings TO banca_definer;
GRANT DELETE ON statements, statement_cuts, statement_work, monthly_closings TO banca_definer;
GRANT INSERT ON accounts TO banca_definer;
GRANT EXECUTE ON FUNCTION ensure_partitions(date) TO banca_definer;

-- The months that tickets have already.
SELECT ensure_partitions(to_date(right(c.relname, 7), 'YYYY_MM'))
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'tickets'::regclass
 ORDER BY c.relname;

-- Draws that were evaluated before: what they came to, and the days that they belong to.
INSERT INTO sorteo_takings (
    banca_id, business_date, sorteo_id, evaluation, vendedor_id, ventana_id, sales_cents, payouts_cents,
    commission_cents, vendedor_commission_cents, listero_commission_cents, ticket_count, winning_tickets)
SELECT r.banca_id, s.business_date, r.sorteo_id, r.evaluation, t.vendedor_id, t.ventana_id, sum(j.sales),
       sum(coalesce(p.amount_cents, 0)), sum(j.commission), sum(j.own), sum(j.listero), count(*), count(p.amount_cents)
  FROM sorteo_results r
  JOIN sorteos s ON s.banca_id = r.banca_id AND s.id = r.sorteo_id
  JOIN tickets t ON t.banca_id = s.banca_id AND t.business_date = s.business_date AND t.sorteo_id = s.id
       AND t.status = 'ACTIVE'
 CROSS JOIN LATERAL (
      SELECT sum(j.amount_cents) AS sales, sum(j.commission_cents) AS commission,
             coalesce(sum(j.commission_cents) FILTER (WHERE j.commission_origin = 'USER'), 0) AS own,
             sum(j.listero_commission_cents) AS listero
        FROM jugadas j
       WHERE j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
         AND j.sequence = t.sequence AND j.exclusion_id IS NULL) j
  LEFT JOIN LATERAL (
      SELECT sum(p.amount_cents) AS amount_cents FROM prizes p
       WHERE p.banca_id = t.banca_id AND p.business_date = t.business_date AND p.sorteo_id = t.sorteo_id
         AND p.sequence = t.sequence AND p.evaluation = r.evaluation HAVING count(*) > 0) p ON true
 WHERE r.state IN ('DONE', 'REVERTING')
 GROUP BY r.banca_id, s.business_date, r.sorteo_id, r.evaluation, t.vendedor_id, t.ventana_id;

INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
SELECT DISTINCT k.banca_id, e.dimension, e.entity_id, k.business_date
  FROM sorteo_takings k
 CROSS JOIN LATERAL (VALUES ('VENDEDOR'::statement_dimension, k.vendedor_id), ('VENTANA', k.ventana_id),
                            ('BANCA', k.banca_id)) AS e (dimension, entity_id);

-- Overdrafts that were allowed for debts which were repaid since (sql/functions/overdraft_of.sql).
UPDATE accounts SET allowed_overdraft_cents = greatest(-(balance_cents + credit_limit_cents), 0)
 WHERE allowed_overdraft_cents > greatest(-(balance_cents + credit_limit_cents), 0);
