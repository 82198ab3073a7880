-- What the login may do that migrating takes, in a row; is_new: nothing was migrated here yet.
SELECT
    current_user::text AS login,
    current_database()::text AS database,
    current_setting('server_version_num')::int / 10000 AS major_version,
    current_setting('server_version') AS version,
    pg_is_in_recovery() AS is_standby,
    role.rolsuper OR role.rolcreaterole AS may_create_roles,
    role.rolsuper OR has_schema_privilege('public', 'CREATE') AS may_create_tables,
    to_regclass('public.schema_migrations') IS NULL AS is_new
FROM pg_roles role
WHERE role.rolname = current_user
