-- What speaks against an actor with this session and terminal selling or cancelling for a seller, now; null: nothing.
-- One SELECT without SET or SECURITY DEFINER, so that the planner inlines it into the set-based caller.
CREATE OR REPLACE FUNCTION actor_gate(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer,
    p_at timestamptz
) RETURNS TABLE (verdict text)
LANGUAGE sql STABLE
AS $$
    SELECT CASE
               WHEN b.is_active IS NOT TRUE THEN 'BANCA_INACTIVE'
               WHEN z.id IS NULL OR z.revoked_at IS NOT NULL THEN 'SESSION_REVOKED'
               WHEN u.is_active IS NOT TRUE THEN 'USER_INACTIVE'
               WHEN w.is_active IS NOT TRUE THEN 'VENTANA_INACTIVE'
               WHEN d.is_active IS NOT TRUE THEN 'TERMINAL_DISABLED'
               WHEN p_key_version <> d.key_version
                AND (p_key_version = d.previous_key_version AND p_at < d.previous_valid_until) IS NOT TRUE
                   THEN 'TERMINAL_KEY_REVOKED'
               WHEN d.ventana_id <> u.ventana_id OR coalesce(d.vendedor_id, p_vendedor) <> p_vendedor
                   THEN 'TERMINAL_MISMATCH'
           END
      FROM (SELECT 1) one
      LEFT JOIN bancas b ON b.id = p_banca
      LEFT JOIN sessions z ON z.id = p_session AND z.user_id = p_actor
      LEFT JOIN users u ON u.id = p_vendedor AND u.banca_id = p_banca
      LEFT JOIN ventanas w ON w.banca_id = p_banca AND w.id = u.ventana_id
      LEFT JOIN terminals d ON d.banca_id = p_banca AND d.id = p_terminal
$$;
ALTER FUNCTION actor_gate OWNER TO banca_definer;
REVOKE ALL ON FUNCTION actor_gate FROM PUBLIC;
