-- The statements, in order, that let the role $2 log in with the password $3 and the rights of $1, and mark it as this
-- database's login (role.sql). The first one takes the role's row. A role's own settings, which 0013 gives to $1, do not
-- come with membership.
WITH role AS (
    SELECT r.oid, shobj_description(r.oid, 'pg_authid') AS comment FROM pg_roles r WHERE r.rolname = $2::text
)
SELECT s.statement
  FROM (
    SELECT 1 AS step, format(
               '%s ROLE %I LOGIN PASSWORD %L', CASE WHEN EXISTS (SELECT FROM role) THEN 'ALTER' ELSE 'CREATE' END,
               $2::text, $3::text)
    UNION ALL
    SELECT 2, format('GRANT %I TO %I', $1::text, $2::text)
     WHERE $1::text <> $2::text
           AND NOT EXISTS (SELECT FROM role x JOIN pg_auth_members m ON m.member = x.oid
                             JOIN pg_roles b ON b.oid = m.roleid AND b.rolname = $1::text)
    UNION ALL
    SELECT 3, format('ALTER ROLE %I SET %I TO %L', $2::text, split_part(c.setting, '=', 1),
                     substring(c.setting FROM position('=' IN c.setting) + 1))
      FROM pg_db_role_setting d
      JOIN pg_roles b ON b.oid = d.setrole AND b.rolname = $1::text
     CROSS JOIN unnest(d.setconfig) AS c (setting)
     WHERE d.setdatabase = 0 AND $1::text <> $2::text
    UNION ALL
    SELECT 4, format('COMMENT ON ROLE %I IS %L', $2::text, concat_ws(
               ' ', nullif(btrim(regexp_replace((SELECT comment FROM role), '\[banca:[0-9]*\]', '')), ''),
               format('[banca:%s]', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))))
  ) s (step, statement)
 ORDER BY s.step, s.statement
