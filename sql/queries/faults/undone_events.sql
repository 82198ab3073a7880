-- Events that were not published, or that some consumer has not done. $1: consumers.
SELECT count(*) FROM outbox o
 WHERE o.published_at IS NULL
    OR (SELECT count(*) FROM inbox i WHERE i.event_id = o.id AND i.consumer = ANY ($1::text[]))
       < cardinality($1::text[])
