-- Every connection of the stack's programs ends at once, whatever it does.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'banca%' AND pid <> pg_backend_pid()
