-- A password that is hashed anew at a log-in changes nothing of the rules: it must not make the banca's rulebook a new
-- version, which every log-in of a morning would do once after the parameters of hashing were changed.
CREATE FUNCTION bump_rulebook_of_users() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_banca uuid;
BEGIN
    FOR v_banca IN
        SELECT DISTINCT x.banca_id
          FROM before o
          FULL JOIN after n ON n.id = o.id
         CROSS JOIN LATERAL (VALUES (o.banca_id), (n.banca_id)) x (banca_id)
         WHERE x.banca_id IS NOT NULL
               AND (to_jsonb(o) - '{password_hash,updated_at}'::text[])
                   IS DISTINCT FROM (to_jsonb(n) - '{password_hash,updated_at}'::text[])
         ORDER BY x.banca_id LOOP
        PERFORM bump_rulebook(v_banca);
    END LOOP;
    RETURN NULL;
END $$;

DROP TRIGGER users_update_bump ON users;
DROP TRIGGER users_moved_bump ON users;
CREATE TRIGGER users_update_bump AFTER UPDATE ON users
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_users();
