-- Tickets by what became of them, as GET /tickets?status=… lists them; and months whose plans find a ticket by its place.

-- No sale pays for these: a row comes into the first when its ticket is cancelled or excluded.
CREATE INDEX tickets_withdrawn ON tickets (banca_id, id) WHERE status <> 'ACTIVE';
CREATE INDEX ticket_payments_of_ticket ON ticket_payments (banca_id, ticket_id);
CREATE INDEX sorteos_not_evaluated ON sorteos (banca_id, business_date) WHERE status <> 'EVALUATED';

-- As before, but that the primary key is made last. On an empty table all indexes cost the same, and the planner takes the
-- youngest that serves: a plan that was made before the month had its first ticket, and kept, looked each ticket up by its
-- banca alone, in tickets_of_vendedor.
CREATE OR REPLACE FUNCTION ensure_partitions(p_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    first_day date := date_trunc('month', p_day);
    child text;
    made text;
BEGIN
    FOR parent IN SELECT c.relname FROM pg_class c
                   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'p' ORDER BY c.relname LOOP
        child := parent || to_char(first_day, '_YYYY_MM');
        -- A query, not to_regclass: that one may answer from before we waited for the lock.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = child AND c.relnamespace = 'public'::regnamespace);
        PERFORM pg_advisory_xact_lock(hashtext('banca.partitions'));
        CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = child AND c.relnamespace = 'public'::regnamespace);
        -- LIKE and ATTACH lock the parent less than CREATE … PARTITION OF: sales go on meanwhile.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
        -- ATTACH takes the indexes that it finds, and makes none.
        FOR made IN
            SELECT format(CASE WHEN i.indisprimary THEN 'ALTER TABLE %I ADD PRIMARY KEY '
                               WHEN i.indisunique THEN 'CREATE UNIQUE INDEX ON %I USING btree '
                               ELSE 'CREATE INDEX ON %I USING btree ' END, child)
                   || split_part(pg_get_indexdef(i.indexrelid), ' USING btree ', 2)
              FROM pg_index i
             WHERE i.indrelid = parent::regclass
             ORDER BY i.indisprimary, i.indexrelid LOOP
            EXECUTE made;
        END LOOP;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       parent, child, first_day, (first_day + interval '1 month')::date);
    END LOOP;
END $$;

-- Months without a ticket are made again; the others' statistics know them.
DO $$
DECLARE
    child regclass;
    month date;
    is_empty boolean;
BEGIN
    LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE;
    FOR child, month IN
        SELECT i.inhrelid::regclass, to_date(right(i.inhrelid::regclass::text, 7), 'YYYY_MM')
          FROM pg_inherits i WHERE i.inhparent = 'tickets'::regclass LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', child) INTO is_empty;
        IF is_empty THEN
            EXECUTE format('DROP TABLE %s', child);
            PERFORM ensure_partitions(month);
        END IF;
    END LOOP;
END $$;
