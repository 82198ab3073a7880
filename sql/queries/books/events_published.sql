-- Every event leaves the outbox. $1: what is younger is still on its way.
SELECT o.banca_id, format('event %s (%s) of %s was not published', o.id, o.type, o.created_at) AS finding
  FROM outbox o WHERE o.published_at IS NULL AND o.created_at < now() - $1::interval
