-- The slot of a schedule that a draw was made for, which it keeps wherever it is moved; and whether a person chose its
-- name.

ALTER TABLE sorteos
    -- Of the schedule of which lottery; a draw that is not sold yet may be given to another.
    ADD COLUMN slot_loteria_id uuid,
    -- null: made by hand beside the draw of its slot.
    ADD COLUMN slot_at timestamptz,
    -- false: the name is the lottery's with the time, and follows it. What is inserted without saying so was named.
    ADD COLUMN name_is_chosen boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT sorteos_slot_is_whole CHECK ((slot_loteria_id IS NULL) = (slot_at IS NULL)),
    ADD FOREIGN KEY (banca_id, slot_loteria_id) REFERENCES loterias;
GRANT INSERT (slot_loteria_id, slot_at, name_is_chosen), UPDATE (name_is_chosen) ON sorteos TO banca_definer;

-- A draw's slot is the instant that it was made at. Of draws still to come the audit trail may know that they were moved
-- since; the others are past, or were made before the trail begins: for these it is where they stand. Where two draws
-- come from one slot, it is the elder's.
WITH made AS (
    SELECT s.banca_id, s.id, s.created_at, coalesce(first.loteria_id, s.loteria_id) AS loteria_id,
           coalesce(first.scheduled_at, s.scheduled_at) AS slot_at
      FROM sorteos s
      LEFT JOIN LATERAL (
               SELECT (a.details -> 'after' ->> 'loteriaId')::uuid AS loteria_id,
                      (a.details -> 'after' ->> 'scheduledAt')::timestamptz AS scheduled_at
                 FROM activity_log a
                WHERE a.banca_id = s.banca_id AND a.target_id = s.id AND a.action = 'SORTEO_CREATE'
                  AND a.details -> 'after' ? 'loteriaId' AND a.details -> 'after' ? 'scheduledAt'
                ORDER BY a.occurred_at LIMIT 1) first ON s.scheduled_at > now() - interval '2 days'
), of_slots AS (
    SELECT DISTINCT ON (banca_id, loteria_id, slot_at) banca_id, id, loteria_id, slot_at
      FROM made ORDER BY banca_id, loteria_id, slot_at, created_at, id
)
UPDATE sorteos s SET slot_loteria_id = o.loteria_id, slot_at = o.slot_at
  FROM of_slots o
 WHERE s.banca_id = o.banca_id AND s.id = o.id;
CREATE UNIQUE INDEX sorteos_one_per_slot ON sorteos (banca_id, slot_loteria_id, slot_at);

-- "Tica 19:30" was named by its time, also where it was moved since and the name was left behind.
UPDATE sorteos s SET name_is_chosen = false
  FROM loterias l
 WHERE l.banca_id = s.banca_id AND l.id = s.loteria_id
   AND left(s.name, -6) = l.name AND right(s.name, 6) ~ '^ ([01][0-9]|2[0-3]):[0-5][0-9]$';
