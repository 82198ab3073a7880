-- Where the API's readiness tries whether the database takes writes, and whether it has room for more.

CREATE TABLE write_probe (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO write_probe DEFAULT VALUES;

-- Empty: what is written here is always rolled back. Uncompressed, so that each row takes a page.
CREATE UNLOGGED TABLE space_probe (filling text NOT NULL);
ALTER TABLE space_probe ALTER COLUMN filling SET STORAGE PLAIN;

ALTER TABLE write_probe ENABLE ROW LEVEL SECURITY;
CREATE POLICY write_probe_of_the_functions ON write_probe TO banca_definer USING (true) WITH CHECK (true);
ALTER TABLE space_probe ENABLE ROW LEVEL SECURITY;
CREATE POLICY space_probe_of_the_functions ON space_probe TO banca_definer WITH CHECK (true);
GRANT SELECT, UPDATE (at) ON write_probe TO banca_definer;
GRANT INSERT ON space_probe TO banca_definer;
