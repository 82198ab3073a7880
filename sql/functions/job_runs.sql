-- Runs of jobs: what the scheduler finds due, what people ask for, and how workers get on with them. Who runs one holds
-- the advisory lock of its (banca, job) until its transaction ends, so that of one job one worker makes one step.

-- Gives   every active banca with its settings of jobs; since: what was due before is not made up; at: when that was.
DROP FUNCTION IF EXISTS job_calendar;
CREATE FUNCTION job_calendar(p_at timestamptz DEFAULT NULL) RETURNS TABLE (
    banca_id uuid, since timestamptz, settings jsonb, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.id, greatest(b.created_at, i.jobs_since),
           coalesce((SELECT jsonb_object_agg(s.job, jsonb_build_object(
                                'is_enabled', s.is_enabled, 'schedule', s.schedule, 'since', s.since))
                       FROM job_settings s WHERE s.banca_id = b.id), '{}'),
           (SELECT database_clock(p_at))
      FROM bancas b CROSS JOIN instance i
     WHERE b.is_active
     ORDER BY b.id
$$;

-- An event, as a reason for workers to look.
DROP FUNCTION IF EXISTS tell_of_job_run;
CREATE FUNCTION tell_of_job_run(p_run job_runs, p_layer text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO outbox (id, banca_id, type, payload, created_at)
    VALUES (nextval('outbox_id'), p_run.banca_id, 'jobs.requested', json_build_object(
                'at', p_run.requested_at, 'runId', p_run.id, 'job', p_run.job, 'period', p_run.period,
                'trigger', p_run.trigger, 'layer', p_layer, 'actorId', p_run.requested_by, 'reason', p_run.reason,
                'requestId', p_run.request_id), p_run.requested_at)
$$;

-- Takes   what is due, in parallel arrays; d_enabled: where not, the period is SKIPPED at once.
-- Gives   those that nobody had asked for yet; and those that failed a day ago, which are gone on with: of a daily job the
--         next day is due by then, but a month has no other run.
DROP FUNCTION IF EXISTS request_due_jobs;
CREATE FUNCTION request_due_jobs(
    d_banca uuid[], d_job text[], d_period text[], d_due timestamptz[], d_enabled boolean[], p_at timestamptz
) RETURNS TABLE (banca_id uuid, id uuid, job text, period text, state text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_run job_runs;
BEGIN
    FOR v_run IN
        WITH found AS MATERIALIZED (
            SELECT * FROM unnest(d_banca, d_job, d_period, d_due, d_enabled) AS d (banca, job, period, due_at, is_enabled)
        ), made AS (
            INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, next_attempt_at, reason,
                                  requested_at, finished_at)
            SELECT d.banca, gen_random_uuid(), d.job, d.period, 'SCHEDULE',
                   CASE WHEN d.is_enabled THEN 'REQUESTED' ELSE 'SKIPPED' END::job_state, d.due_at, p_at,
                   CASE WHEN NOT d.is_enabled THEN 'disabled' END, p_at, CASE WHEN NOT d.is_enabled THEN p_at END
              FROM found d
             -- Waits for nobody who is at a run; a conflict with it does, even where nothing is done about it.
             WHERE NOT EXISTS (SELECT FROM job_runs r
                                WHERE r.banca_id = d.banca AND r.job = d.job AND r.period = d.period
                                  AND r.trigger = 'SCHEDULE')
             ORDER BY d.due_at, d.banca, d.job
            -- Two schedulers at once.
            ON CONFLICT (banca_id, job, period) WHERE trigger = 'SCHEDULE' DO NOTHING
            RETURNING *
        ), again AS (
            UPDATE job_runs r SET state = 'REQUESTED', attempts = 0, next_attempt_at = p_at, finished_at = NULL
              FROM found d
             WHERE r.banca_id = d.banca AND r.job = d.job AND r.period = d.period AND r.trigger = 'SCHEDULE'
               AND r.state = 'FAILED' AND r.finished_at <= p_at - interval '1 day' AND d.is_enabled
            RETURNING r.*
        )
        SELECT * FROM made UNION ALL SELECT * FROM again
    LOOP
        IF v_run.state = 'REQUESTED' THEN
            PERFORM tell_of_job_run(v_run, 'scheduler');
        END IF;
        RETURN QUERY SELECT v_run.banca_id, v_run.id, v_run.job, v_run.period, v_run.state::text;
    END LOOP;
END $$;

-- A run that somebody asks for, enabled or not. Who asks again while it is unfinished gets the same.
-- Takes   p_day: Costa Rica's day to work for; null: the one on which it starts.
-- Locks   what people ask of this job of the banca.
DROP FUNCTION IF EXISTS request_job;
CREATE FUNCTION request_job(
    p_banca uuid, p_job text, p_period text, p_day date, p_actor uuid, p_layer text, p_reason text, p_request text
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_run job_runs;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true),
            pg_advisory_xact_lock(hashtext('banca.jobs.asked'), hashtext(p_banca || p_job));
    -- What was asked of another day is another run.
    SELECT * INTO v_run FROM job_runs r
     WHERE r.banca_id = p_banca AND r.job = p_job AND r.trigger = 'MANUAL' AND r.state IN ('REQUESTED', 'RUNNING')
       AND r.period = p_period
       AND (r.day = coalesce(p_day, costa_rica_date(v_at)) OR (r.day IS NULL AND p_day IS NULL))
     LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, day, next_attempt_at, reason,
                              requested_by, requested_at, request_id)
        VALUES (p_banca, gen_random_uuid(), p_job, p_period, 'MANUAL', 'REQUESTED', v_at, p_day, v_at, p_reason,
                p_actor, v_at, p_request)
        RETURNING * INTO v_run;
        PERFORM tell_of_job_run(v_run, p_layer);
    END IF;
    RETURN v_run.id;
END $$;

-- Takes   the jobs that the worker knows: those of a newer version must not keep it from the others.
-- Gives   what workers have to do, of every banca; what has waited longest first.
DROP FUNCTION IF EXISTS job_runs_to_do;
CREATE FUNCTION job_runs_to_do(p_jobs text[], p_limit integer, p_at timestamptz DEFAULT NULL) RETURNS TABLE (
    banca_id uuid, id uuid, job text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.banca_id, r.id, r.job, r.state::text
      FROM job_runs r
     WHERE r.state IN ('REQUESTED', 'RUNNING') AND r.job = ANY (p_jobs)
       AND r.next_attempt_at <= (SELECT database_clock(p_at))
     ORDER BY r.next_attempt_at, r.due_at, r.banca_id, r.id
     LIMIT p_limit
$$;

-- Take a run up, or go on with it, until the transaction ends: it works for the run's banca from here on.
-- Takes   p_skips: how often it could not begin since it was taken up last.
-- Gives   the run, and the banca's settings of the job; no row when somebody else is at the job, or the run is over.
DROP FUNCTION IF EXISTS begin_job_step;
CREATE FUNCTION begin_job_step(p_banca uuid, p_run uuid, p_job text, p_skips integer, p_at timestamptz DEFAULT NULL)
RETURNS TABLE (period text, trigger text, day date, started_at timestamptz, was_started boolean, attempts smallint,
               progress jsonb, counts jsonb, requested_by uuid, request_id text, settings jsonb, at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_at timestamptz := database_clock(p_at);
    v_run job_runs;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    IF NOT pg_try_advisory_xact_lock(hashtext('banca.jobs'), hashtext(p_banca || p_job)) THEN
        RETURN;
    END IF;
    -- A statement of its own: it sees what the lock's holder before us wrote.
    SELECT * INTO v_run FROM job_runs r
     WHERE r.banca_id = p_banca AND r.id = p_run AND r.state IN ('REQUESTED', 'RUNNING');
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE job_runs r
       SET state = 'RUNNING', started_at = coalesce(r.started_at, v_at), skips = r.skips + p_skips,
           day = coalesce(r.day, costa_rica_date(v_at))
     WHERE r.banca_id = p_banca AND r.id = p_run;
    RETURN QUERY
    SELECT r.period, r.trigger::text, r.day, r.started_at, v_run.started_at IS NOT NULL, r.attempts,
           r.progress, r.counts, r.requested_by, r.request_id,
           coalesce((SELECT to_jsonb(s) - 'since' FROM job_settings s WHERE s.banca_id = p_banca AND s.job = p_job),
                    '{}'), v_at
      FROM job_runs r WHERE r.banca_id = p_banca AND r.id = p_run;
END $$;

-- Write how far a run is, in the transaction of its step. The end of a run is told in the banca's trail.
-- Takes   p_rest: not before it is over the next step is made.
-- Gives   when that was.
DROP FUNCTION IF EXISTS save_job_step;
CREATE FUNCTION save_job_step(
    p_banca uuid, p_run uuid, p_state text, p_progress jsonb, p_counts jsonb, p_reason text, p_rest interval,
    p_at timestamptz DEFAULT NULL
) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_at timestamptz := database_clock(p_at);
    v_run job_runs;
BEGIN
    UPDATE job_runs r
       SET state = p_state::job_state, progress = p_progress, counts = p_counts, attempts = 0,
           next_attempt_at = v_at + p_rest, reason = coalesce(p_reason, r.reason), error_type = NULL, error_code = NULL,
           error = NULL, finished_at = CASE WHEN p_state <> 'RUNNING' THEN v_at END
     WHERE r.banca_id = p_banca AND r.id = p_run AND r.state = 'RUNNING'
    RETURNING * INTO STRICT v_run;
    IF p_state <> 'RUNNING' THEN
        PERFORM tell_of_job_end(v_run);
    END IF;
    RETURN v_at;
END $$;

-- Write that a step failed: it is tried again later, and not more often than p_attempts_max times in a row.
-- Gives   the run's state then; null: it is not under way.
DROP FUNCTION IF EXISTS note_job_trouble;
CREATE FUNCTION note_job_trouble(
    p_banca uuid, p_run uuid, p_type text, p_code text, p_error text, p_attempts_max integer, p_pause interval,
    p_at timestamptz DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_at timestamptz := database_clock(p_at);
    v_run job_runs;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    UPDATE job_runs r
       SET attempts = r.attempts + 1, next_attempt_at = v_at + p_pause * (1 << least(r.attempts, 10)),
           error_type = p_type, error_code = p_code, error = left(p_error, 2000),
           state = CASE WHEN r.attempts + 1 >= p_attempts_max THEN 'FAILED' ELSE r.state END,
           finished_at = CASE WHEN r.attempts + 1 >= p_attempts_max THEN v_at END
     WHERE r.banca_id = p_banca AND r.id = p_run AND r.state IN ('REQUESTED', 'RUNNING')
    RETURNING * INTO v_run;
    IF v_run.state = 'FAILED' THEN
        PERFORM tell_of_job_end(v_run);
    END IF;
    RETURN v_run.state;
END $$;

DROP FUNCTION IF EXISTS tell_of_job_end;
CREATE FUNCTION tell_of_job_end(p_run job_runs) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM write_activity(
        p_run.banca_id, 'SYSTEM_ACTION', p_run.requested_by, 'CRON_JOB', p_run.id, NULL,
        jsonb_strip_nulls(jsonb_build_object(
            'job', p_run.job, 'period', p_run.period, 'trigger', p_run.trigger, 'state', p_run.state,
            'counts', p_run.counts, 'errorType', p_run.error_type, 'errorCode', p_run.error_code)),
        'job', p_run.request_id);
END $$;

-- What a banca sets of a job, whole; p_since: null leaves it.
DROP FUNCTION IF EXISTS set_job_settings;
CREATE FUNCTION set_job_settings(
    p_banca uuid, p_job text, p_enabled boolean, p_schedule text, p_age integer, p_batch integer, p_retention integer,
    p_restarts boolean, p_actor uuid
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT set_config('app.banca_id', p_banca::text, true);
    INSERT INTO job_settings AS s (banca_id, job, is_enabled, schedule, settlement_age_days, batch_size,
                                   retention_days, since, updated_by, updated_at)
    VALUES (p_banca, p_job, p_enabled, p_schedule, p_age, p_batch, p_retention,
            CASE WHEN p_restarts THEN clock_timestamp() ELSE '-infinity' END, p_actor, clock_timestamp())
    ON CONFLICT (banca_id, job) DO UPDATE
       SET is_enabled = p_enabled, schedule = p_schedule, settlement_age_days = p_age, batch_size = p_batch,
           retention_days = p_retention, since = CASE WHEN p_restarts THEN excluded.since ELSE s.since END,
           updated_by = p_actor, updated_at = excluded.updated_at;
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY[
        'job_calendar', 'tell_of_job_run', 'request_due_jobs', 'request_job', 'job_runs_to_do', 'begin_job_step',
        'save_job_step', 'note_job_trouble', 'tell_of_job_end', 'set_job_settings'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION request_job, set_job_settings TO banca_api;
GRANT EXECUTE ON FUNCTION job_calendar, request_due_jobs, job_runs_to_do, begin_job_step, save_job_step,
    note_job_trouble TO banca_worker;
