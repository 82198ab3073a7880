-- A banca's configuration as one document: the rulebook, in the shape that core/domain/rulebook_json.py reads. As
-- text, because its decimals (a percent of 12.5) must not pass through a float.
SELECT jsonb_build_object(
    'bancaId', b.id, 'version', b.rulebook_version,
    'defaultMinBetCents', b.default_min_bet_cents,
    'globalMaxPerNumberCents', b.global_max_per_number_cents,
    'salesCutoffMinutes', b.sales_cutoff_minutes,
    'commissionPolicy', b.commission_policy,
    'loterias', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'rules', l.rules, 'isActive', l.is_active))
          FROM loterias l WHERE l.banca_id = b.id), '[]'),
    'multipliers', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'id', m.id, 'loteriaId', m.loteria_id, 'name', m.name, 'kind', m.kind,
                   'xHundredths', m.value_x_hundredths, 'isActive', m.is_active, 'createdAt', m.created_at,
                   'appliesToDate', m.applies_to_date)
               ORDER BY m.created_at, m.id)
          FROM loteria_multipliers m WHERE m.banca_id = b.id), '[]'),
    'overrides', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'id', o.id, 'scope', CASE WHEN o.user_id IS NULL THEN 'VENTANA' ELSE 'USER' END,
                   'userId', o.user_id, 'ventanaId', o.ventana_id, 'loteriaId', o.loteria_id,
                   'multiplierType', o.multiplier_type, 'xHundredths', o.x_hundredths, 'isActive', o.is_active)
               ORDER BY o.id)
          FROM multiplier_overrides o WHERE o.banca_id = b.id AND o.is_active), '[]'),
    'bancaLoteriaSettings', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'loteriaId', c.loteria_id, 'xHundredths', c.base_multiplier_x_hundredths,
                   'maxTotalPerSorteoCents', c.max_total_per_sorteo_cents, 'isActive', c.is_active)
               ORDER BY c.loteria_id)
          FROM banca_loteria_settings c WHERE c.banca_id = b.id), '[]'),
    'restrictions', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'id', r.id, 'bancaId', CASE WHEN r.whole_banca THEN r.banca_id END, 'ventanaId', r.ventana_id,
                   'userId', r.user_id, 'number', r.number, 'isAutoDate', r.is_auto_date,
                   'maxAmountCents', r.max_amount_cents, 'maxTotalCents', r.max_total_cents,
                   'baseAmountCents', r.base_amount_cents, 'salesBasisPoints', r.sales_basis_points,
                   'appliesToVendedor', r.applies_to_vendedor, 'appliesToDate', r.applies_to_date,
                   'appliesToHour', r.applies_to_hour, 'salesCutoffMinutes', r.sales_cutoff_minutes,
                   'loteriaId', r.loteria_id, 'multiplierId', r.multiplier_id, 'message', r.message,
                   'isActive', r.is_active, 'updatedAt', r.updated_at)
               ORDER BY r.updated_at, r.id)
          FROM restriction_rules r WHERE r.banca_id = b.id AND r.is_active), '[]'),
    'ventanas', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'id', v.id, 'policy', v.commission_policy, 'listeroPolicy', (
                       SELECT u.commission_policy FROM users u
                        WHERE u.banca_id = b.id AND u.ventana_id = v.id AND u.role = 'VENTANA' AND u.is_active
                        ORDER BY u.updated_at DESC, u.id LIMIT 1)))
          FROM ventanas v WHERE v.banca_id = b.id), '[]'),
    'sellers', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', u.id, 'ventanaId', u.ventana_id, 'policy', u.commission_policy))
          FROM users u WHERE u.banca_id = b.id AND u.role = 'VENDEDOR'), '[]'))::text
  FROM bancas b WHERE b.id = $1
