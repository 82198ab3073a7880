-- Parked letters whose event was done after all are nobody's worry any more.
UPDATE dead_letters d
   SET state = 'REPLAYED', decided_by = 'pipeline', decided_at = clock_timestamp(), republished_at = clock_timestamp()
 WHERE d.state = 'PARKED' AND d.event_id IS NOT NULL
   AND EXISTS (SELECT FROM inbox i WHERE i.consumer = d.actor AND i.event_id = d.event_id)
