-- A key names one operation for its actor on any terminal, and for its terminal whoever is logged in there: an unanswered
-- request that the terminal sends again after a change of shift is still the same request.

-- null: of a request that no terminal sent, or from before this migration.
ALTER TABLE idempotency ADD COLUMN terminal_id uuid;

-- One CHECK for what three said: a sale pays for each of them, a lone ticket most of all. Validated by the next migration,
-- which does not keep sales waiting.
ALTER TABLE idempotency
    DROP CONSTRAINT idempotency_operation_has_its_answer,
    DROP CONSTRAINT idempotency_movement_has_its_answer,
    DROP CONSTRAINT idempotency_reset_has_its_answer,
    ADD CONSTRAINT idempotency_operation_has_its_answer CHECK (
        outcome NOT IN ('PAID', 'PAYMENT_REVERSED', 'PAYMENT_FINALIZED', 'EXCLUDED', 'INCLUDED',
                        'MOVEMENT_REGISTERED', 'MOVEMENT_REVERSED', 'BALANCE_RESET')
        OR answer IS NOT NULL) NOT VALID;
