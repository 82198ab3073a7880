-- Those that hold the advisory lock $1, as blockers.sql tells of them.
SELECT a.pid, a.application_name, a.usename AS role, a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS transaction_age_s,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 120) AS query
  FROM pg_locks l
  JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND (l.classid::bigint << 32 | l.objid::bigint) = $1
 ORDER BY a.pid
