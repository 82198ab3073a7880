-- What happens after the commit: events out, effects in, the trail of both.

-- One row per committed batch. json, not jsonb: the bytes that are hashed are the bytes that were written.
CREATE TABLE outbox (
    id bigint PRIMARY KEY,
    banca_id uuid NOT NULL REFERENCES bancas,
    type text NOT NULL CHECK (type ~ '^[a-z_]+\.[a-z_]+$'),
    payload json NOT NULL,
    created_at timestamptz NOT NULL,
    published_at timestamptz,
    publish_count integer NOT NULL DEFAULT 0
);
CREATE SEQUENCE outbox_id AS bigint OWNED BY outbox.id;
CREATE INDEX outbox_to_publish ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Written in the transaction of the effect, so that an event that comes twice has one.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id bigint NOT NULL,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);

-- The audit trail: one row per operation.
CREATE TABLE activity_log (
    banca_id uuid NOT NULL,
    occurred_on date NOT NULL,
    event_id bigint NOT NULL,
    line integer NOT NULL CHECK (line >= 1),
    occurred_at timestamptz NOT NULL,
    action text NOT NULL CHECK (action ~ '^[A-Z_]+$'),
    actor_id uuid,
    target_type text,
    target_id uuid,
    layer text NOT NULL,
    request_id text,
    details jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (banca_id, occurred_on, event_id, line)
) PARTITION BY RANGE (occurred_on);
CREATE INDEX activity_log_of_target ON activity_log (banca_id, target_id, occurred_at);
CREATE INDEX activity_log_of_actor ON activity_log (banca_id, actor_id, occurred_at);

-- The chain over it: one link per (event, banca), in the order in which the audit saw them.
-- content_hash = SHA-256 of the event's payload; core/audit_chain.py says how a link's hash follows.
CREATE TABLE audit_chain (
    banca_id uuid NOT NULL REFERENCES bancas,
    position bigint NOT NULL CHECK (position >= 1),
    event_id bigint NOT NULL,
    rows_count integer NOT NULL CHECK (rows_count >= 1),
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (banca_id, position),
    UNIQUE (banca_id, event_id)
);

CREATE TRIGGER activity_log_append_only BEFORE UPDATE OR DELETE ON activity_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

SELECT ensure_partitions((date_trunc('month', now()) + make_interval(months => m))::date)
  FROM generate_series(-1, 3) m;
