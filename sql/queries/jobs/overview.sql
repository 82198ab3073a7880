-- One row for each job that is named, in that order. $1 banca, $2 jobs[].
SELECT n.job, greatest(b.created_at, i.jobs_since) AS begins, clock_timestamp() AS at,
       (SELECT to_jsonb(s) - 'since' FROM job_settings s WHERE s.banca_id = b.id AND s.job = n.job) AS settings,
       (SELECT nullif(s.since, '-infinity') FROM job_settings s WHERE s.banca_id = b.id AND s.job = n.job) AS since,
       (SELECT count(*) FROM job_runs r WHERE r.banca_id = b.id AND r.job = n.job AND r.state = 'DONE') AS done_count,
       (SELECT max(r.finished_at) FROM job_runs r
         WHERE r.banca_id = b.id AND r.job = n.job AND r.state = 'DONE') AS last_success_at,
       (SELECT r.id FROM job_runs r
         WHERE r.banca_id = b.id AND r.job = n.job AND r.state <> 'SKIPPED'
         ORDER BY r.requested_at DESC, r.id DESC LIMIT 1) AS last_run_id
  FROM unnest($2::text[]) WITH ORDINALITY AS n (job, place)
 CROSS JOIN bancas b
 CROSS JOIN instance i
 WHERE b.id = $1
 ORDER BY n.place
