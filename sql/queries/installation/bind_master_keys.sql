-- $1: ids of master keys, $2: what only the right key of each gives; sql/functions/installation.sql.
SELECT verdict, ids, missing FROM bind_master_keys($1, $2)
