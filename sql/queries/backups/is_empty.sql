-- Whether nobody has made anything in this database yet.
SELECT NOT EXISTS (SELECT FROM pg_class c WHERE c.oid >= 16384)
   AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid >= 16384)
   AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.oid >= 16384 AND n.nspname NOT LIKE 'pg\_%')
