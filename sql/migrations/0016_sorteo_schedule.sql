-- What draws do by themselves: they open at an instant of their own, and close when nobody may sell any more.

-- null: nobody but a person opens it.
ALTER TABLE sorteos
    ADD COLUMN opens_at timestamptz,
    ADD CONSTRAINT sorteos_open_before_they_are_drawn CHECK (opens_at < scheduled_at);
GRANT INSERT (opens_at), UPDATE (opens_at) ON sorteos TO banca_definer;

-- What is due, of every banca. Sales touch none of these columns.
CREATE INDEX sorteos_to_close ON sorteos (scheduled_at) WHERE status = 'OPEN';
CREATE INDEX sorteos_to_open ON sorteos (opens_at) WHERE status = 'SCHEDULED' AND is_active AND opens_at IS NOT NULL;
