-- Terminals' secrets are derived from master keys that are not in the database. So that another key beside it is noticed
-- before a terminal's signature fails, a value that only the right key gives is kept here for each. Nothing of the key can
-- be found from it.
CREATE TABLE master_key_checks (
    key_id text PRIMARY KEY CHECK (length(key_id) BETWEEN 1 AND 100),
    check_value text NOT NULL CHECK (check_value ~ '^[0-9a-f]{64}$'),
    bound_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE master_key_checks ENABLE ROW LEVEL SECURITY;
CREATE POLICY master_key_checks_of_the_functions ON master_key_checks TO banca_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON master_key_checks TO banca_definer;
