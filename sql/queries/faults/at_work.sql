-- Whether a connection of that application is in the middle of something. $1: its name, $2: in a transaction only.
SELECT EXISTS (
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = $1
       AND (state LIKE 'idle in transaction%' OR state = 'active' AND NOT $2::boolean))
