-- The statements that make a role what roles.sql tells of it, as far as it is not, and as far as we may: nobody logs in as
-- it yet. $1 its name, $2 its settings, each "name=value", $3 what it is a member of.
WITH role AS (SELECT r.oid FROM pg_roles r WHERE r.rolname = $1::text)
SELECT s.statement
  FROM (
    SELECT 1, format('CREATE ROLE %I NOLOGIN', $1::text) WHERE NOT EXISTS (SELECT FROM role)
    UNION ALL
    SELECT 2, format('ALTER ROLE %I SET %I TO %L', $1::text, split_part(x, '=', 1),
                     substring(x FROM position('=' IN x) + 1))
      FROM unnest($2::text[]) x
     WHERE NOT EXISTS (SELECT FROM pg_db_role_setting d
                        WHERE d.setrole = (SELECT role.oid FROM role) AND d.setdatabase = 0 AND x = ANY (d.setconfig))
    UNION ALL
    SELECT 3, format('GRANT %I TO %I', g.rolname, $1::text)
      FROM pg_roles g
     WHERE g.rolname = ANY ($3::text[]) AND pg_has_role(g.oid, 'MEMBER WITH ADMIN OPTION')
           AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = g.oid AND m.member = (SELECT role.oid FROM role))
  ) s (step, statement)
 ORDER BY s.step, s.statement
