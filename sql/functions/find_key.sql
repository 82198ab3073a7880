-- What a key was used for: by the actor on any terminal, or on the terminal by any actor. One row; no field of `used` is set
-- when the key is new.
--
-- Takes   p_terminal: that sent the request. p_key may be null: then nothing is found.
-- Gives   used: what was recorded. is_ambiguous: the actor used the key for one thing and the terminal for another, so that
--         it names neither.
-- Plans   as in sell_tickets, which does the same for a whole batch: each look-up by a whole key, kept apart by OFFSET 0.
DROP FUNCTION IF EXISTS find_key;
CREATE FUNCTION find_key(
    p_banca uuid, p_actor uuid, p_terminal uuid, p_key text, OUT used idempotency, OUT is_ambiguous boolean
)
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(k.found, h.found), (k.found).key IS NOT NULL AND (h.found).key IS NOT NULL
      FROM (SELECT 1) one
      LEFT JOIN LATERAL (
          SELECT i AS found FROM idempotency i
           WHERE i.banca_id = p_banca AND i.actor_id = p_actor AND i.key = p_key
          OFFSET 0) k ON true
      LEFT JOIN LATERAL (
          SELECT i AS found FROM idempotency i
           WHERE i.banca_id = p_banca AND i.terminal_id = p_terminal AND i.key = p_key AND i.actor_id <> p_actor
          OFFSET 0) h ON true
$$;
ALTER FUNCTION find_key OWNER TO banca_definer;
REVOKE ALL ON FUNCTION find_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_key TO banca_api;
