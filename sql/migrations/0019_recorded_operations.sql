-- What was done after a sale is answered again from its own record, and names its ticket where it is about one.
ALTER TABLE idempotency
    ADD CONSTRAINT idempotency_operation_has_its_answer CHECK (
        outcome NOT IN ('PAID', 'PAYMENT_REVERSED', 'PAYMENT_FINALIZED', 'EXCLUDED', 'INCLUDED')
        OR answer IS NOT NULL),
    DROP CONSTRAINT idempotency_sale_names_its_ticket,
    ADD CONSTRAINT idempotency_names_its_ticket CHECK (
        outcome NOT IN ('SOLD', 'CANCELLED', 'PAID', 'PAYMENT_REVERSED', 'PAYMENT_FINALIZED', 'RESTORED')
        OR (business_date, sorteo_id, sequence) IS NOT NULL);

ALTER TABLE tickets ADD CONSTRAINT tickets_excluded_were_not_cancelled CHECK (
    status <> 'EXCLUDED' OR cancelled_at IS NULL);
