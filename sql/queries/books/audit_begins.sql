-- From when on the audit trail is complete: where its retention cut it; '-infinity' while nothing was cut.
SELECT CASE WHEN coalesce(min(position), 1) = 1 THEN '-infinity'::timestamptz ELSE min(recorded_at) END AS begins
  FROM audit_chain
