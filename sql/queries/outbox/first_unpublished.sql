-- The oldest event that was never published: what an idle relay asks, all the time.
SELECT id FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 1
