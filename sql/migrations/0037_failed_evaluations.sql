-- Evaluations that cannot go on say so, and what failed is kept apart from what did not.

-- failed_at: the workers have stopped; the result stays RUNNING or REVERTING until somebody has it tried again, or takes
-- it back.
ALTER TABLE sorteo_results
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN failure text CHECK (length(failure) BETWEEN 1 AND 500),
    ADD CONSTRAINT sorteo_results_failure_is_whole CHECK ((failed_at IS NULL) = (failure IS NULL)),
    ADD CONSTRAINT sorteo_results_only_work_fails CHECK (failed_at IS NULL OR state IN ('RUNNING', 'REVERTING')),
    -- What failed before it was settled can be taken back.
    DROP CONSTRAINT sorteo_results_settled_once_paid,
    ADD CONSTRAINT sorteo_results_settled_when_done CHECK (
        (state <> 'RUNNING' OR settled_at IS NULL) AND (state <> 'DONE' OR settled_at IS NOT NULL)
        AND num_nonnulls(settled_at, total_in_cents, net_profit_cents) IN (0, 3));
CREATE INDEX sorteo_results_failed ON sorteo_results (failed_at) WHERE failed_at IS NOT NULL;

-- Tickets whose prizes could not be paid (state RUNNING) or taken back (REVERTING). is_due: is tried again.
CREATE TABLE evaluation_failures (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    evaluation smallint NOT NULL,
    state result_state NOT NULL CHECK (state IN ('RUNNING', 'REVERTING')),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts >= 1),
    is_due boolean NOT NULL DEFAULT false,
    failed_at timestamptz NOT NULL,
    -- Done in the end, or taken back with the rest.
    resolved_at timestamptz,
    PRIMARY KEY (banca_id, sorteo_id, evaluation, state, sequence),
    FOREIGN KEY (banca_id, sorteo_id, evaluation) REFERENCES sorteo_results,
    CONSTRAINT evaluation_failures_resolved_are_not_due CHECK (resolved_at IS NULL OR NOT is_due)
);
ALTER TABLE evaluation_failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY evaluation_failures_of_the_banca ON evaluation_failures TO banca_api, banca_worker, banca_definer
    USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()));
GRANT SELECT ON evaluation_failures TO banca_api, banca_worker, banca_definer;
GRANT INSERT, UPDATE ON evaluation_failures TO banca_definer;
