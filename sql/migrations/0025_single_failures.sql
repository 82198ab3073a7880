-- What fails alone rests alone; runs of jobs are kept for a time only; no month is closed before it is over.

-- A request that failed is passed over until then, so that the others do not wait for it.
ALTER TABLE statement_work
    ADD COLUMN failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    ADD COLUMN rests_until timestamptz;

-- So many days hold the twelve months that a closing makes up, each of which must be found done.
ALTER TABLE job_settings ADD CONSTRAINT job_settings_runs_stay_a_year
    CHECK (job <> 'job-runs-cleanup' OR retention_days >= 400);

-- On the 1st a month is over at 06:00 UTC, in Costa Rica. Earlier closings closed the month before the last; what they
-- left out is made up at the default hour.
UPDATE job_settings SET schedule = NULL WHERE job = 'monthly-closing' AND schedule ~ '^[0-9]+ [0-5] 1 ';
ALTER TABLE job_settings ADD CONSTRAINT job_settings_closings_follow_their_month
    CHECK (job <> 'monthly-closing' OR schedule !~ '^[0-9]+ [0-5] 1 ');
