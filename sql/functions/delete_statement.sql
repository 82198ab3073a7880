-- Deletes the row of a day on which nothing happened after all. What it carried on is carried on by the day before it.
--
-- Gives   DELETED; STATEMENT_NOT_FOUND: there is no row; STATEMENT_SETTLED: the day is closed; STATEMENT_HAS_TICKETS,
--         STATEMENT_HAS_PAYMENTS, STATEMENT_HAS_WRITE_OFFS (of both those taken back too), STATEMENT_HAS_CORRECTIONS;
--         STATEMENT_IS_RESET: the seller's statement begins anew there.
-- Locks   the entity's statements.
DROP FUNCTION IF EXISTS delete_statement;
CREATE FUNCTION delete_statement(
    p_banca uuid, p_actor uuid, p_dimension text, p_entity uuid, p_day date, p_request text
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_dimension statement_dimension := p_dimension;
    v_outcome text;
BEGIN
    PERFORM set_config('app.banca_id', p_banca::text, true);
    PERFORM lock_statements(ARRAY[p_entity]);
    SELECT CASE
               WHEN s.business_date <= closed_through(p_banca, v_dimension, p_entity) THEN 'STATEMENT_SETTLED'
               WHEN s.ticket_count > 0 THEN 'STATEMENT_HAS_TICKETS'
               WHEN EXISTS (SELECT FROM movements m
                             WHERE m.banca_id = p_banca AND m.business_date = p_day AND m.dimension = v_dimension
                               AND m.entity_id = p_entity) THEN 'STATEMENT_HAS_PAYMENTS'
               WHEN EXISTS (SELECT FROM cash_memo_entries e
                             WHERE e.banca_id = p_banca AND e.posted_on = p_day
                               AND CASE v_dimension WHEN 'VENDEDOR' THEN e.vendedor_id WHEN 'VENTANA' THEN e.ventana_id
                                                    ELSE e.banca_id END = p_entity) THEN 'STATEMENT_HAS_WRITE_OFFS'
               WHEN EXISTS (SELECT FROM statement_corrections c
                             WHERE c.banca_id = p_banca AND c.dimension = v_dimension AND c.entity_id = p_entity
                               AND c.posted_on = p_day) THEN 'STATEMENT_HAS_CORRECTIONS'
               WHEN v_dimension = 'VENDEDOR' AND EXISTS (
                    SELECT FROM balance_resets z
                     WHERE z.banca_id = p_banca AND z.vendedor_id = p_entity AND p_day = ANY (z.cut_days)
                       AND z.reverted_at IS NULL) THEN 'STATEMENT_IS_RESET'
               ELSE 'DELETED' END
      INTO v_outcome
      FROM statements s
     WHERE s.banca_id = p_banca AND s.dimension = v_dimension AND s.entity_id = p_entity AND s.business_date = p_day;
    IF v_outcome = 'DELETED' THEN
        PERFORM write_activity(p_banca, 'ACCOUNT_STATEMENT_DELETE', p_actor, 'ACCOUNT_STATEMENT', p_entity,
                               statement_of_day(p_banca, v_dimension, p_entity, p_day), NULL, 'api', p_request);
        DELETE FROM statements s
         WHERE s.banca_id = p_banca AND s.dimension = v_dimension AND s.entity_id = p_entity AND s.business_date = p_day;
    END IF;
    RETURN coalesce(v_outcome, 'STATEMENT_NOT_FOUND');
END $$;
ALTER FUNCTION delete_statement OWNER TO banca_definer;
REVOKE ALL ON FUNCTION delete_statement FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_statement TO banca_api;
