-- A reset of a seller's statement, or its taking back, is answered again from its own record, as movements are.

-- No statement of this migration may use it: a new value of an enum can be used from the next transaction on.
ALTER TYPE idempotency_outcome ADD VALUE IF NOT EXISTS 'BALANCE_RESET';
-- As text: its value is new.
ALTER TABLE idempotency ADD CONSTRAINT idempotency_reset_has_its_answer CHECK (
    outcome::text <> 'BALANCE_RESET' OR answer IS NOT NULL);
