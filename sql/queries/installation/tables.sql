-- Which of the tables that have to do with secrets are there yet.
SELECT to_regclass('master_key_checks') IS NOT NULL AS has_checks, to_regclass('terminals') IS NOT NULL AS has_terminals
