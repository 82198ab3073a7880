-- Whether the ledger has the column that says which programs may run.
SELECT EXISTS (
    SELECT FROM pg_attribute
     WHERE attrelid = 'schema_migrations'::regclass AND attname = 'programs_from' AND NOT attisdropped)
