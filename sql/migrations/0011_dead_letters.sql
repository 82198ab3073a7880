-- Dead letters: what no worker could do, copied out of the broker, for an operator to look at, replay or drop.
CREATE TYPE dead_letter_state AS ENUM ('PARKED', 'REPLAYED', 'DROPPED');
CREATE TYPE dead_letter_reason AS ENUM (
    'POISONOUS', 'RETRIES_EXHAUSTED', 'DELIVERY_LIMIT', 'UNKNOWN_ACTOR', 'UNDECODABLE', 'EXPIRED');

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instance text NOT NULL,
    queue text NOT NULL,
    -- What makes two copies one letter: 'event:7', else 'message:' and its id, else 'bytes:' and their SHA-256.
    letter_key text NOT NULL CHECK (length(letter_key) <= 200),
    actor text CHECK (length(actor) <= 200),
    message_id text CHECK (length(message_id) <= 200),
    -- The one event that the letter is about; null: a message that carries none that can be read.
    event_id bigint,
    payload bytea NOT NULL,
    reason dead_letter_reason NOT NULL,
    error text NOT NULL DEFAULT '' CHECK (length(error) <= 4000),
    attempts integer NOT NULL CHECK (attempts >= 1),
    state dead_letter_state NOT NULL DEFAULT 'PARKED',
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- 'user:…', 'cli:…', or 'pipeline' where the event was done after all.
    decided_by text CHECK (length(decided_by) <= 200),
    decided_at timestamptz,
    -- When the relay sent a replayed one.
    republished_at timestamptz,
    CONSTRAINT dead_letters_copied_once UNIQUE (queue, letter_key),
    CHECK ((state = 'PARKED') = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX dead_letters_of_event ON dead_letters (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX dead_letters_by_age ON dead_letters (first_seen_at, id);
CREATE INDEX dead_letters_to_replay ON dead_letters (decided_at) WHERE state = 'REPLAYED' AND republished_at IS NULL;

-- They are of every banca and of none: only the pipeline and functions see them.
ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY dead_letters_of_the_pipeline ON dead_letters TO banca_worker USING (true) WITH CHECK (true);
CREATE POLICY dead_letters_of_functions ON dead_letters TO banca_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON dead_letters TO banca_worker;
GRANT SELECT, UPDATE ON dead_letters TO banca_definer;

-- An event that the outbox does not have any more was done by everybody: its inbox rows say nothing new.
DELETE FROM inbox i WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.id = i.event_id);
