-- Whose login the role $1 is. A login's comment names the database that it was made for by its oid, "[banca:16384]": names
-- change. No row: there is no such role.
-- of_database: another database that the comment names; null: none, or one that is gone. granted_in: the other databases
-- of this server where the role has rights. claim: the statement that makes it this database's login.
SELECT r.rolcanlogin AS can_login,
       m.oid IS NOT NULL AS is_marked,
       (SELECT d.datname FROM pg_database d WHERE d.oid = m.oid AND d.datname <> current_database()) AS of_database,
       ARRAY(SELECT DISTINCT d.datname::text
               FROM pg_shdepend s
               JOIN pg_database d ON d.oid = s.dbid AND d.datname <> current_database()
              WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
              ORDER BY 1) AS granted_in,
       format('COMMENT ON ROLE %I IS %L', r.rolname, format('[banca:%s]', (
           SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))) AS claim
  FROM pg_roles r
  LEFT JOIN LATERAL (
      SELECT substring(shobj_description(r.oid, 'pg_authid') FROM '\[banca:([0-9]{1,10})\]')::oid AS oid) m ON true
 WHERE r.rolname = $1
