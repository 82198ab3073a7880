-- Refresh tokens that were replaced, for as long as they still get their session's newest pair (30 s).
-- sessions.previous_hash and rotated_at knew only the last of them; processes of the previous release leave them to
-- rotate_session, which goes on writing them.
CREATE TABLE replaced_refresh_tokens (
    session_id uuid NOT NULL REFERENCES sessions,
    generation integer NOT NULL CHECK (generation >= 1),
    refresh_hash bytea NOT NULL CHECK (length(refresh_hash) = 32),
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, generation)
);
ALTER TABLE replaced_refresh_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY replaced_refresh_tokens_all ON replaced_refresh_tokens TO banca_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON replaced_refresh_tokens TO banca_definer;

INSERT INTO replaced_refresh_tokens (session_id, generation, refresh_hash, replaced_at)
SELECT id, generation - 1, previous_hash, rotated_at
  FROM sessions
 WHERE revoked_at IS NULL AND previous_hash IS NOT NULL AND generation > 1 AND rotated_at > now() - interval '1 minute';
