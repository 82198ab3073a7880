-- Cash that was handed out to winners stays on their tickets when a result is corrected; what is then too much stands as a
-- memo beside the seller, until it came back or is written off.

-- No statement of this migration may use them: a new value of an enum can be used from the next transaction on.
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'WRITE_OFF';
ALTER TYPE transfer_kind ADD VALUE IF NOT EXISTS 'WRITE_OFF_REVERSAL';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'CASH_MEMO_SETTLED';
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'CASH_MEMO_WRITTEN_OFF';
-- As text: its values are new.
ALTER TABLE idempotency ADD CONSTRAINT idempotency_cash_memo_has_its_answer CHECK (
    outcome::text NOT IN ('CASH_MEMO_SETTLED', 'CASH_MEMO_WRITTEN_OFF') OR answer IS NOT NULL);

ALTER TABLE ticket_payments
    -- Of which result's prize the rest was waived with finalized_at; null: of the result that it was paid under.
    ADD COLUMN finalized_evaluation smallint CHECK (finalized_evaluation >= 1),
    -- A result that was taken back had reversed this payment; since then it counts again. Set by this migration only.
    ADD COLUMN reinstated_at timestamptz;
ALTER TABLE ticket_payments ADD CONSTRAINT ticket_payments_finalized_says_of_what CHECK (
    finalized_evaluation IS NULL OR finalized_at IS NOT NULL);
GRANT UPDATE (finalized_evaluation) ON ticket_payments TO banca_definer;

-- One row per ticket that was paid under a result that does not stand. Everything in it follows from payments, prizes and
-- entries; sql/functions/cash_memos.sql keeps it, `./banca verify` computes it anew.
CREATE TABLE cash_memos (
    banca_id uuid NOT NULL REFERENCES bancas,
    business_date date NOT NULL,
    ticket_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    sequence bigint NOT NULL,
    -- Who was credited with the prize, and its ventana at the sale.
    vendedor_id uuid NOT NULL,
    ventana_id uuid NOT NULL,
    -- Payments that were not reversed, of all results.
    cash_cents bigint NOT NULL CHECK (cash_cents >= 0),
    -- What came back of them.
    returned_cents bigint NOT NULL DEFAULT 0 CHECK (returned_cents BETWEEN 0 AND cash_cents),
    -- Of the result that stands; 0 while none does.
    prize_cents bigint NOT NULL CHECK (prize_cents >= 0),
    written_off_cents bigint NOT NULL DEFAULT 0 CHECK (written_off_cents >= 0),
    open_cents bigint GENERATED ALWAYS AS (
        greatest(cash_cents - returned_cents - prize_cents - written_off_cents, 0)) STORED,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, business_date, ticket_id),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos,
    CONSTRAINT cash_memos_write_off_no_more_than_is_out CHECK (
        written_off_cents <= greatest(cash_cents - returned_cents - prize_cents, 0))
);
CREATE INDEX cash_memos_of_ticket ON cash_memos (banca_id, ticket_id);
CREATE INDEX cash_memos_of_sorteo ON cash_memos (banca_id, sorteo_id);
CREATE INDEX cash_memos_open ON cash_memos (banca_id, business_date DESC, ticket_id DESC) WHERE open_cents > 0;

-- SETTLEMENT: cash came back. WRITE_OFF: the banca bears it, and credits the seller.
CREATE TYPE cash_memo_entry_kind AS ENUM ('SETTLEMENT', 'WRITE_OFF');

-- How memos ended, in parts or at once. A row is never deleted.
CREATE TABLE cash_memo_entries (
    banca_id uuid NOT NULL,
    id uuid NOT NULL,
    business_date date NOT NULL,
    ticket_id uuid NOT NULL,
    kind cash_memo_entry_kind NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    reason text NOT NULL CHECK (length(reason) BETWEEN 5 AND 500),
    -- Of a write-off: the seller and the ventana that it is credited to, under which result, and the day of their
    -- statements. It stands as long as that result does.
    sorteo_id uuid NOT NULL,
    vendedor_id uuid NOT NULL,
    ventana_id uuid NOT NULL,
    evaluation smallint CHECK (evaluation >= 1),
    posted_on date,
    created_by uuid NOT NULL,
    created_by_role user_role NOT NULL,
    created_by_name text NOT NULL,
    created_at timestamptz NOT NULL,
    reversed_at timestamptz,
    reversed_event_id bigint,
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, business_date, ticket_id) REFERENCES cash_memos,
    CONSTRAINT cash_memo_entries_write_off_is_posted CHECK (
        num_nonnulls(evaluation, posted_on) = CASE kind WHEN 'WRITE_OFF' THEN 2 ELSE 0 END),
    CONSTRAINT cash_memo_entries_reversal_is_whole CHECK (
        (reversed_at IS NULL) = (reversed_event_id IS NULL) AND (reversed_at IS NULL OR kind = 'WRITE_OFF'))
);
CREATE INDEX cash_memo_entries_of_ticket ON cash_memo_entries (banca_id, ticket_id);
CREATE INDEX cash_memo_entries_of_sorteo ON cash_memo_entries (banca_id, sorteo_id) WHERE posted_on IS NOT NULL;
CREATE INDEX cash_memo_entries_posted ON cash_memo_entries (banca_id, posted_on, vendedor_id) WHERE posted_on IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['cash_memos', 'cash_memo_entries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
        EXECUTE format('GRANT INSERT ON %I TO banca_definer', name);
    END LOOP;
END $$;
GRANT UPDATE (cash_cents, returned_cents, prize_cents, written_off_cents, updated_at) ON cash_memos TO banca_definer;
GRANT UPDATE (reversed_at, reversed_event_id) ON cash_memo_entries TO banca_definer;

-- Payments that a revert reversed until now: the cash is out. While a result is taken back nobody else reverses payments,
-- so that the time tells them from those that people took back.
UPDATE ticket_payments p
   SET reinstated_at = now(), reversed_at = NULL, reversed_by = NULL, reversed_reason = NULL
  FROM sorteo_results r
 WHERE r.banca_id = p.banca_id AND r.sorteo_id = p.sorteo_id AND r.evaluation = p.evaluation
   AND r.state IN ('REVERTING', 'REVERTED') AND p.reversed_at >= r.revert_requested_at;

INSERT INTO cash_memos (
    banca_id, business_date, ticket_id, sorteo_id, sequence, vendedor_id, ventana_id, cash_cents, prize_cents, created_at,
    updated_at)
SELECT t.banca_id, t.business_date, t.id, t.sorteo_id, t.sequence, t.vendedor_id, t.ventana_id, p.cash, z.prize, now(), now()
  FROM (SELECT p.banca_id, p.business_date, p.sorteo_id, p.sequence, max(r.evaluation) AS evaluation,
               sum(p.amount_cents)::bigint AS cash
          FROM ticket_payments p
          LEFT JOIN sorteo_results r ON r.banca_id = p.banca_id AND r.sorteo_id = p.sorteo_id
               AND r.state IN ('DONE', 'REVERTING')
         WHERE p.reversed_at IS NULL
         GROUP BY p.banca_id, p.business_date, p.sorteo_id, p.sequence
        HAVING bool_or(p.evaluation IS DISTINCT FROM r.evaluation)) p
  JOIN tickets t ON t.banca_id = p.banca_id AND t.business_date = p.business_date AND t.sorteo_id = p.sorteo_id
       AND t.sequence = p.sequence
 CROSS JOIN LATERAL (
      SELECT coalesce(sum(z.amount_cents), 0)::bigint AS prize FROM prizes z
       WHERE z.banca_id = p.banca_id AND z.business_date = p.business_date AND z.sorteo_id = p.sorteo_id
         AND z.sequence = p.sequence AND z.evaluation = p.evaluation) z;
