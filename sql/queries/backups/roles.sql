-- Roles that own something in this database or may do something with it, but for who owns the ledger of migrations, and
-- so everything else; their settings and what they are members of, neither of which a dump of the database has.
SELECT r.rolname AS name,
       ARRAY(SELECT x FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) x
              WHERE s.setrole = r.oid AND s.setdatabase = 0 ORDER BY x) AS settings,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
              WHERE m.member = r.oid ORDER BY 1) AS member_of
  FROM pg_roles r
 WHERE r.oid <> (SELECT c.relowner FROM pg_class c WHERE c.oid = 'schema_migrations'::regclass)
   AND r.rolname NOT LIKE 'pg\_%'
   AND EXISTS (SELECT FROM pg_shdepend d
                WHERE d.refobjid = r.oid AND d.refclassid = 'pg_authid'::regclass
                  AND d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database()))
 ORDER BY r.rolname
