-- Roles that own something in this database or may do something with it, but for who owns the ledger of migrations, and
-- so everything else.
SELECT DISTINCT r.rolname AS name
  FROM pg_shdepend d
  JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
 WHERE d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
   AND r.oid <> (SELECT c.relowner FROM pg_class c WHERE c.oid = 'schema_migrations'::regclass)
   AND r.rolname NOT LIKE 'pg\_%'
 ORDER BY r.rolname
