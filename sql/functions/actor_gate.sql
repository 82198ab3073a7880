-- What speaks against an actor with this session and terminal selling or cancelling for a seller, now; null: nothing.
-- p_vendedor is null when it is not known in whose name: then only the actor is looked at.
-- One SELECT without SET or SECURITY DEFINER, so that the planner inlines it into the set-based caller; each look-up
-- is kept apart by OFFSET 0, so that its plan is the same whatever the statistics say.
CREATE OR REPLACE FUNCTION actor_gate(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer,
    p_at timestamptz
) RETURNS TABLE (verdict text)
LANGUAGE sql STABLE
AS $$
    SELECT CASE
               WHEN (SELECT is_active FROM bancas WHERE id = p_banca) IS NOT TRUE THEN 'BANCA_INACTIVE'
               WHEN z.id IS NULL OR z.revoked_at IS NOT NULL OR z.expires_at <= p_at THEN 'SESSION_REVOKED'
               WHEN p_actor IS DISTINCT FROM p_vendedor AND x.is_active IS NOT TRUE THEN 'USER_INACTIVE'
               -- In nobody's name yet: at least of this banca.
               WHEN p_vendedor IS NULL
                AND (x.role = 'ADMIN' OR x.banca_id = p_banca OR y.banca_id = p_banca) IS NOT TRUE THEN 'USER_INACTIVE'
               -- Whose sellers an actor may act for; core/domain/impersonation.py says the same before a price is made.
               WHEN p_actor <> p_vendedor AND CASE x.role
                       WHEN 'ADMIN' THEN true
                       WHEN 'BANCA' THEN x.banca_id = p_banca OR y.banca_id = p_banca
                       WHEN 'VENTANA' THEN x.banca_id = p_banca AND x.ventana_id = u.ventana_id
                    END IS NOT TRUE THEN 'SELLER_NOT_OWN'
               WHEN p_vendedor IS NOT NULL AND u.is_active IS NOT TRUE THEN 'USER_INACTIVE'
               WHEN p_vendedor IS NOT NULL AND w.is_active IS NOT TRUE THEN 'VENTANA_INACTIVE'
               WHEN d.is_active IS NOT TRUE THEN 'TERMINAL_DISABLED'
               WHEN p_key_version <> d.key_version
                AND (p_key_version = d.previous_key_version AND p_at < d.previous_valid_until) IS NOT TRUE
                   THEN 'TERMINAL_KEY_REVOKED'
               WHEN d.ventana_id <> u.ventana_id OR coalesce(d.vendedor_id, p_vendedor) <> p_vendedor
                   THEN 'TERMINAL_MISMATCH'
           END
      FROM (SELECT 1) one
      LEFT JOIN LATERAL (
          SELECT id, revoked_at, expires_at FROM sessions WHERE id = p_session AND user_id = p_actor OFFSET 0) z ON true
      LEFT JOIN LATERAL (
          SELECT is_active, ventana_id FROM users WHERE id = p_vendedor AND banca_id = p_banca OFFSET 0) u ON true
      LEFT JOIN LATERAL (
          SELECT is_active, role, banca_id, ventana_id FROM users
           WHERE id = p_actor AND p_actor IS DISTINCT FROM p_vendedor OFFSET 0) x ON true
      LEFT JOIN LATERAL (
          SELECT banca_id FROM user_bancas WHERE banca_id = p_banca AND user_id = p_actor AND x.role = 'BANCA'
          OFFSET 0) y ON true
      LEFT JOIN LATERAL (
          SELECT is_active FROM ventanas WHERE banca_id = p_banca AND id = u.ventana_id OFFSET 0) w ON true
      LEFT JOIN LATERAL (
          SELECT is_active, key_version, previous_key_version, previous_valid_until, ventana_id, vendedor_id
            FROM terminals WHERE banca_id = p_banca AND id = p_terminal OFFSET 0) d ON true
$$;
ALTER FUNCTION actor_gate OWNER TO banca_definer;
REVOKE ALL ON FUNCTION actor_gate FROM PUBLIC;

-- The same for a reader that may not see sessions: the API, before it refuses a ticket by the rules.
CREATE OR REPLACE FUNCTION sale_gate(
    p_banca uuid, p_actor uuid, p_vendedor uuid, p_session uuid, p_terminal uuid, p_key_version integer
) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT verdict
      FROM actor_gate(p_banca, p_actor, p_vendedor, p_session, p_terminal, p_key_version, clock_timestamp())
$$;
ALTER FUNCTION sale_gate OWNER TO banca_definer;
REVOKE ALL ON FUNCTION sale_gate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sale_gate TO banca_api;
