-- One ticket, found by a key of its own whatever the planner believes of the table. The planner builds the functions here
-- into the statements that call them.
--
-- Plans   know the banca at no time, as (SELECT …) says: of one that the statistics have not seen the planner believes that
--         it has no tickets, so that any index of a banca's tickets would do, and all of them would be read.

-- The ticket at a place; one row, or none.
DROP FUNCTION IF EXISTS find_ticket;
CREATE FUNCTION find_ticket(p_banca uuid, p_day date, p_sorteo uuid, p_sequence bigint) RETURNS SETOF tickets
LANGUAGE sql STABLE
AS $$
    SELECT t.* FROM tickets t
     WHERE t.banca_id = (SELECT p_banca) AND t.business_date = p_day AND t.sorteo_id = p_sorteo
       AND t.sequence = p_sequence
    OFFSET 0
$$;

-- The ticket with an id, of a draw on p_sold_from or later; one row, or none. On an empty table all indexes cost the same:
-- the order, which says nothing new, is one that tickets_by_id has and that behind another had to be made.
DROP FUNCTION IF EXISTS find_ticket_by_id;
CREATE FUNCTION find_ticket_by_id(p_banca uuid, p_ticket uuid, p_sold_from date) RETURNS SETOF tickets
LANGUAGE sql STABLE
AS $$
    SELECT t.* FROM tickets t
     WHERE t.banca_id = (SELECT p_banca) AND t.id BETWEEN p_ticket AND p_ticket AND t.business_date >= p_sold_from
     ORDER BY t.id LIMIT 1
$$;

DO $$
DECLARE
    function_name text;
BEGIN
    FOREACH function_name IN ARRAY ARRAY['find_ticket', 'find_ticket_by_id'] LOOP
        EXECUTE format('ALTER FUNCTION %I OWNER TO banca_definer', function_name);
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', function_name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION find_ticket, find_ticket_by_id TO banca_api;
