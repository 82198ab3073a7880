-- A draw's life: every change of its state is on record.

-- Append-only; written by move_sorteo (sql/functions/move_sorteo.sql) alone, under the draw's row lock.
CREATE TABLE sorteo_states (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    -- 1, 2, 3, … in the draw.
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    -- null: the draw was made so.
    from_status sorteo_status,
    to_status sorteo_status NOT NULL,
    -- From here on.
    is_active boolean NOT NULL,
    -- How many tickets it had sold: after a close there may be no more.
    last_sequence bigint NOT NULL CHECK (last_sequence >= 0),
    at timestamptz NOT NULL,
    -- null: by itself.
    actor_id uuid,
    reason text CHECK (length(reason) BETWEEN 1 AND 200),
    request_id text,
    PRIMARY KEY (banca_id, sorteo_id, ordinal),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos
);
CREATE TRIGGER sorteo_states_append_only BEFORE UPDATE OR DELETE ON sorteo_states
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE sorteo_states ENABLE ROW LEVEL SECURITY;
CREATE POLICY sorteo_states_of_the_banca ON sorteo_states TO banca_api, banca_worker, banca_definer
    USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()));
GRANT SELECT ON sorteo_states TO banca_api, banca_worker, banca_definer;
GRANT INSERT ON sorteo_states TO banca_definer;

GRANT INSERT (banca_id, id, loteria_id, name, digits, is_active, scheduled_at, global_limit_cents)
    ON sorteos TO banca_definer;
GRANT UPDATE (status, is_active, loteria_id, name, digits, scheduled_at) ON sorteos TO banca_definer;

-- The name is move_sorteo's now. Functions write draws too: what their triggers do besides is the owner's, as before.
ALTER FUNCTION move_sorteo() RENAME TO place_sorteo;
ALTER FUNCTION place_sorteo() SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION number_sorteo() SECURITY DEFINER SET search_path = public, pg_temp;
