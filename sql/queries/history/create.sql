-- Where a client's history is laid beside the tables, for the length of a transaction. A row is a line of it.
-- code: why it was refused, or what a cancel that found no sale said. ticket: what an ok named.
CREATE TEMPORARY TABLE history (
    event text NOT NULL,
    kind text NOT NULL,
    seller uuid NOT NULL,
    key text NOT NULL,
    sale_key text,
    code text,
    ticket_id uuid,
    business_date date,
    ordinal integer,
    sequence bigint,
    total_cents bigint
) ON COMMIT DROP
