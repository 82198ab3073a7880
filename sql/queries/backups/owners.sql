-- What belongs to another role than the ledger of migrations does: its kind and its name, both as ALTER takes them.
SELECT i.type AS kind, i.identity, r.rolname AS owner
  FROM pg_shdepend d
  JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
 CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
 WHERE d.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
   AND d.deptype = 'o' AND d.objid >= 16384
   AND r.oid <> (SELECT c.relowner FROM pg_class c WHERE c.oid = 'schema_migrations'::regclass)
 ORDER BY i.type, i.identity
