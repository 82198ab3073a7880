-- A sale is tried; the answer is which programs may run on this database (sql/functions/installation.sql).
SELECT programs_from() FROM probe_writes()
