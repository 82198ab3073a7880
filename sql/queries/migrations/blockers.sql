-- Those that hold, or are ahead in the line for, what the process $1 waits for. Ages in seconds; null: not to be seen.
SELECT a.pid, a.application_name, a.usename AS role, a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS transaction_age_s,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 120) AS query
  FROM unnest(pg_blocking_pids($1)) AS b (pid)
  JOIN pg_stat_activity a ON a.pid = b.pid
 ORDER BY a.xact_start
