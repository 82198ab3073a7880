-- A refresh token is derived from its session and generation, so that the newest one can be given again although
-- only its hash is stored.
ALTER TABLE sessions
    ADD COLUMN generation integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
    ADD COLUMN platform text CHECK (length(platform) <= 50),
    ADD COLUMN app_version text CHECK (length(app_version) <= 50);
CREATE INDEX sessions_of_banca ON sessions (banca_id) WHERE revoked_at IS NULL;

-- A session is judged before its tenant is known: whether its ventana is active is part of that.
CREATE POLICY ventanas_all ON ventanas FOR SELECT TO banca_definer USING (true);
