-- Whether row-level security hides nothing from this login: it has the rights of the tables' owner, or passes over policies.
-- Null: the tables are not there.
SELECT r.rolsuper OR r.rolbypassrls OR pg_has_role(c.relowner, 'USAGE') AS sees_all, current_user AS login
  FROM pg_roles r
  LEFT JOIN pg_class c ON c.oid = to_regclass('tickets')
 WHERE r.rolname = current_user
