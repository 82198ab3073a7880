-- From a ticket's commit (its time under the lock) to its audit record, p99 in seconds: $1 banca.
SELECT coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM c.recorded_at - a.occurred_at)), 0)::float8
           AS p99_s,
       coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.recorded_at - a.occurred_at)), 0)::float8
           AS p50_s,
       count(*) AS tickets
  FROM activity_log a
  JOIN audit_chain c ON c.banca_id = a.banca_id AND c.event_id = a.event_id
 WHERE a.banca_id = $1
