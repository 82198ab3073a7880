-- A database that was restored to an earlier time gives numbers out again that the broker, caches and replicas know
-- from the time that is gone. The history tells the two apart; `./banca restored` changes it
-- (sql/functions/history.sql).
ALTER TABLE instance ADD COLUMN history uuid NOT NULL DEFAULT gen_random_uuid();

-- A message about an event that this database does not have: it was restored to a time before the event.
ALTER TYPE dead_letter_reason ADD VALUE 'VANISHED';
