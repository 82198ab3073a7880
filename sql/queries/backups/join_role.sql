-- The statement with which we may give things to a role, no row where we may already. $1 its name.
SELECT format('GRANT %I TO %I', $1::text, current_user) WHERE NOT pg_has_role($1::name, 'SET')
