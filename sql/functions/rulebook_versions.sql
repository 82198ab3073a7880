-- The part of a banca's rulebook that limits what may be sold: the shape that core/domain/rulebook_json.py reads.
CREATE OR REPLACE FUNCTION rule_documents(p_banca uuid) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'loterias', coalesce((
            SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'rules', l.rules, 'isActive', l.is_active))
              FROM loterias l WHERE l.banca_id = p_banca), '[]'),
        'multipliers', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'id', m.id, 'loteriaId', m.loteria_id, 'name', m.name, 'kind', m.kind,
                       'xHundredths', m.value_x_hundredths, 'isActive', m.is_active, 'createdAt', m.created_at,
                       'appliesToDate', m.applies_to_date)
                   ORDER BY m.created_at, m.id)
              FROM loteria_multipliers m WHERE m.banca_id = p_banca), '[]'),
        'overrides', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'id', o.id, 'scope', CASE WHEN o.user_id IS NULL THEN 'VENTANA' ELSE 'USER' END,
                       'userId', o.user_id, 'ventanaId', o.ventana_id, 'loteriaId', o.loteria_id,
                       'multiplierType', o.multiplier_type, 'xHundredths', o.x_hundredths, 'isActive', o.is_active)
                   ORDER BY o.id)
              FROM multiplier_overrides o WHERE o.banca_id = p_banca AND o.is_active), '[]'),
        'bancaLoteriaSettings', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'loteriaId', c.loteria_id, 'xHundredths', c.base_multiplier_x_hundredths,
                       'maxTotalPerSorteoCents', c.max_total_per_sorteo_cents, 'isActive', c.is_active)
                   ORDER BY c.loteria_id)
              FROM banca_loteria_settings c WHERE c.banca_id = p_banca), '[]'),
        'restrictions', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'id', r.id, 'bancaId', CASE WHEN r.whole_banca THEN r.banca_id END, 'ventanaId', r.ventana_id,
                       'userId', r.user_id, 'number', r.number, 'isAutoDate', r.is_auto_date,
                       'autoDateOf', r.auto_date_of,
                       'maxAmountCents', r.max_amount_cents, 'maxTotalCents', r.max_total_cents,
                       'baseAmountCents', r.base_amount_cents, 'salesBasisPoints', r.sales_basis_points,
                       'appliesToVendedor', r.applies_to_vendedor, 'appliesToDate', r.applies_to_date,
                       'appliesToHour', r.applies_to_hour, 'salesCutoffMinutes', r.sales_cutoff_minutes,
                       'loteriaId', r.loteria_id, 'multiplierId', r.multiplier_id, 'message', r.message,
                       'isActive', r.is_active, 'updatedAt', r.updated_at)
                   ORDER BY r.updated_at, r.id)
              FROM restriction_rules r WHERE r.banca_id = p_banca AND r.is_active), '[]'))
$$;
REVOKE ALL ON FUNCTION rule_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rule_documents TO banca_api, banca_worker;

-- One version per banca and transaction, however many rows of its configuration that transaction touches. limits is on
-- record with it, so that the books can judge every ticket by the rules of its day.
CREATE OR REPLACE FUNCTION bump_rulebook(p_banca uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE bancas
       SET rulebook_version = rulebook_version + 1, rulebook_xact = pg_current_xact_id(), updated_at = now()
     WHERE id = p_banca AND rulebook_xact IS DISTINCT FROM pg_current_xact_id();
    INSERT INTO rulebook_versions AS v (banca_id, version, limits)
    SELECT id, rulebook_version,
           jsonb_build_object('globalMaxPerNumberCents', global_max_per_number_cents) || rule_documents(id)
      FROM bancas WHERE id = p_banca
    ON CONFLICT (banca_id, version) DO UPDATE SET limits = excluded.limits;
    -- Sent at the commit; whoever misses it learns of the version at its next sale.
    SELECT pg_notify('rulebook', json_build_object('bancaId', id, 'version', rulebook_version)::text)
      FROM bancas WHERE id = p_banca;
$$;
-- Only triggers call it, so that nobody makes a version of another tenant's rules.
REVOKE ALL ON FUNCTION bump_rulebook FROM PUBLIC, banca_api;

CREATE OR REPLACE FUNCTION bump_rulebook_of_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM bump_rulebook(b.banca_id)
       FROM (SELECT DISTINCT banca_id FROM changed WHERE banca_id IS NOT NULL ORDER BY banca_id) b;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION bump_rulebook_of_banca() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM bump_rulebook(NEW.id);
    RETURN NULL;
END $$;

-- The limits of a draw as they are now, for the version that this transaction makes.
CREATE OR REPLACE FUNCTION record_sorteo_limits(p_banca uuid, p_sorteo uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO sorteo_limit_versions AS v (banca_id, sorteo_id, version, global_limit_cents, number_limits)
    SELECT s.banca_id, s.id, b.rulebook_version, s.global_limit_cents,
           (SELECT jsonb_object_agg(n.number, n.max_amount_cents) FROM sorteo_number_limits n
             WHERE n.banca_id = s.banca_id AND n.sorteo_id = s.id)
      FROM sorteos s
      JOIN bancas b ON b.id = s.banca_id
     WHERE s.banca_id = p_banca AND s.id = p_sorteo
    ON CONFLICT (banca_id, sorteo_id, version)
    DO UPDATE SET global_limit_cents = excluded.global_limit_cents, number_limits = excluded.number_limits
$$;
REVOKE ALL ON FUNCTION record_sorteo_limits FROM PUBLIC;

-- The limits of a draw are part of the rules.
CREATE OR REPLACE FUNCTION bump_rulebook_of_sorteo() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM bump_rulebook(NEW.banca_id);
    PERFORM record_sorteo_limits(NEW.banca_id, NEW.id);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER sorteos_first_limit_bump AFTER INSERT ON sorteos
    FOR EACH ROW WHEN (NEW.global_limit_cents IS NOT NULL)
    EXECUTE FUNCTION bump_rulebook_of_sorteo();

CREATE OR REPLACE FUNCTION bump_rulebook_of_number_limits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_draw record;
BEGIN
    FOR v_draw IN SELECT DISTINCT banca_id, sorteo_id FROM changed ORDER BY banca_id, sorteo_id LOOP
        PERFORM bump_rulebook(v_draw.banca_id);
        PERFORM record_sorteo_limits(v_draw.banca_id, v_draw.sorteo_id);
    END LOOP;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER sorteo_number_limits_insert_bump AFTER INSERT ON sorteo_number_limits
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_number_limits();
CREATE OR REPLACE TRIGGER sorteo_number_limits_update_bump AFTER UPDATE ON sorteo_number_limits
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_number_limits();
CREATE OR REPLACE TRIGGER sorteo_number_limits_delete_bump AFTER DELETE ON sorteo_number_limits
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_number_limits();

-- A version that stands since before its limits were written down: they are those of now.
UPDATE rulebook_versions v SET limits = v.limits || rule_documents(b.id)
  FROM (SELECT id, rulebook_version FROM bancas FOR UPDATE) b
 WHERE v.banca_id = b.id AND v.version = b.rulebook_version AND NOT v.limits ? 'restrictions';
