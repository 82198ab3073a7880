-- The statement that makes a role nobody logs in as, null where there is one. $1 its name.
SELECT format('CREATE ROLE %I NOLOGIN', $1::text)
 WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1)
