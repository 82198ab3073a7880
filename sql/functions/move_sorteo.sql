-- The only writer of a draw's state: the state and its history, together or not at all.
--
-- Takes   p_actor: null when nobody asked for it; p_at: null for now; p_active: null to leave it as it is.
-- Locks   nothing: the caller holds the draw's row lock and has judged that it may go there
--         (core/domain/sorteo_states.py), and p_banca is the banca that its transaction works for.
DROP FUNCTION IF EXISTS move_sorteo;
CREATE FUNCTION move_sorteo(
    p_banca uuid, p_sorteo uuid, p_to sorteo_status, p_actor uuid, p_reason text, p_at timestamptz,
    p_active boolean DEFAULT NULL, p_request text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    v_old sorteos;
    v_at timestamptz := coalesce(p_at, clock_timestamp());
BEGIN
    SELECT * INTO STRICT v_old FROM sorteos s WHERE s.banca_id = p_banca AND s.id = p_sorteo;
    UPDATE sorteos s
       SET status = p_to, is_active = coalesce(p_active, v_old.is_active), updated_at = v_at
     WHERE s.banca_id = p_banca AND s.id = p_sorteo;
    INSERT INTO sorteo_states (banca_id, sorteo_id, ordinal, from_status, to_status, is_active, last_sequence, at,
                               actor_id, reason, request_id)
    SELECT p_banca, p_sorteo, coalesce(max(h.ordinal), 0) + 1, v_old.status, p_to,
           coalesce(p_active, v_old.is_active), v_old.last_sequence, v_at, p_actor, p_reason, p_request
      FROM sorteo_states h WHERE h.banca_id = p_banca AND h.sorteo_id = p_sorteo;
END $$;
ALTER FUNCTION move_sorteo OWNER TO banca_definer;
REVOKE ALL ON FUNCTION move_sorteo FROM PUBLIC;
