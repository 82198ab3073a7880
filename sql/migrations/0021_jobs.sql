-- The scheduled jobs: what bancas set of them, what is due, what was done.

-- From when on jobs are due: nothing of before is made up.
ALTER TABLE instance ADD COLUMN jobs_since timestamptz NOT NULL DEFAULT now();

-- A missing row, or a null, is the default (core/domain/jobs.py has the table of jobs).
CREATE TABLE job_settings (
    banca_id uuid NOT NULL REFERENCES bancas,
    job text NOT NULL CHECK (job ~ '^[a-z]+(-[a-z]+)*$'),
    is_enabled boolean,
    -- UTC: minute, hour, and of a monthly job the day, as cron has them.
    schedule text CHECK (schedule ~ '^[1-5]?[0-9] (1?[0-9]|2[0-3]) (\*|[1-9]|1[0-9]|2[0-8]) \* \*$'),
    settlement_age_days integer CHECK (settlement_age_days BETWEEN 0 AND 365),
    batch_size integer CHECK (batch_size BETWEEN 1 AND 2000),
    retention_days integer CHECK (retention_days BETWEEN 1 AND 3650),
    -- When it was enabled, or its hour changed, last: what was due before is not made up.
    since timestamptz NOT NULL,
    updated_by uuid,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (banca_id, job),
    CONSTRAINT job_settings_monthly_have_a_day CHECK ((job = 'monthly-closing') = (schedule !~ '\* \* \*$')),
    CONSTRAINT job_settings_keys_stay_a_month CHECK (job <> 'idempotency-cleanup' OR retention_days >= 35)
);

CREATE TYPE job_trigger AS ENUM ('SCHEDULE', 'MANUAL');
CREATE TYPE job_state AS ENUM ('REQUESTED', 'RUNNING', 'DONE', 'FAILED', 'SKIPPED');

-- One row per run. Who runs it holds an advisory lock, not a state: what a dead worker left is RUNNING and goes on.
CREATE TABLE job_runs (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL,
    job text NOT NULL CHECK (job ~ '^[a-z]+(-[a-z]+)*$'),
    -- The day on which it was due, or the month that is closed.
    period text NOT NULL CHECK (period ~ '^20[0-9]{2}-[0-9]{2}(-[0-9]{2})?$'),
    trigger job_trigger NOT NULL,
    state job_state NOT NULL,
    due_at timestamptz NOT NULL,
    -- Costa Rica's day that it works for: the one on which it starts, unless somebody named another.
    day date,
    -- In a row; a step that got on begins anew.
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- How often it could not even begin.
    skips integer NOT NULL DEFAULT 0 CHECK (skips >= 0),
    next_attempt_at timestamptz NOT NULL,
    progress jsonb NOT NULL DEFAULT '{}',
    counts jsonb NOT NULL DEFAULT '{}',
    error_type text,
    error_code text,
    error text,
    reason text CHECK (length(reason) BETWEEN 1 AND 200),
    requested_by uuid,
    requested_at timestamptz NOT NULL,
    request_id text,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (banca_id, id),
    CONSTRAINT job_runs_finished_say_when CHECK ((state IN ('DONE', 'FAILED', 'SKIPPED')) = (finished_at IS NOT NULL)),
    CONSTRAINT job_runs_started_know_their_day CHECK (started_at IS NULL OR day IS NOT NULL)
);
CREATE UNIQUE INDEX job_runs_once_per_period ON job_runs (banca_id, job, period) WHERE trigger = 'SCHEDULE';
CREATE INDEX job_runs_by_time ON job_runs (banca_id, job, requested_at DESC, id DESC);
-- What workers have to do, of every banca.
CREATE INDEX job_runs_under_way ON job_runs (next_attempt_at) WHERE state IN ('REQUESTED', 'RUNNING');

-- Where retention cut what a banca keeps: what was recorded before may be gone.
CREATE TABLE retention_cuts (
    banca_id uuid NOT NULL REFERENCES bancas,
    kept text NOT NULL CHECK (kept IN ('idempotency')),
    before timestamptz NOT NULL,
    PRIMARY KEY (banca_id, kept)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['job_settings', 'job_runs', 'retention_cuts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I TO banca_api, banca_worker, banca_definer'
            ' USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()))',
            name || '_of_the_banca', name);
        EXECUTE format('GRANT SELECT ON %I TO banca_api, banca_worker, banca_definer', name);
    END LOOP;
END $$;
-- The scheduler and the workers look for what is due in every banca.
CREATE POLICY job_settings_all ON job_settings FOR SELECT TO banca_definer USING (true);
CREATE POLICY job_runs_all ON job_runs TO banca_definer USING (true) WITH CHECK (true);
GRANT INSERT, UPDATE ON job_settings, job_runs TO banca_definer;

-- Retention is the only way out of the trail: what is cut off is its beginning, by sql/functions/retention.sql alone.
CREATE FUNCTION keep_trail() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('app.retention', true) = 'on'
       AND current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = 'audit_chain'::regclass) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER activity_log_append_only ON activity_log;
DROP TRIGGER audit_chain_append_only ON audit_chain;
CREATE TRIGGER activity_log_append_only BEFORE UPDATE OR DELETE ON activity_log
    FOR EACH ROW EXECUTE FUNCTION keep_trail();
CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION keep_trail();
