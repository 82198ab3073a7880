-- The migrations that this database has had.
SELECT m.name, m.checksum FROM schema_migrations m WHERE m.name LIKE 'migrations/%' ORDER BY m.name
