SELECT coalesce(max(id), 0)::bigint AS id FROM outbox
