-- A banca's configuration as one document: the rulebook, in the shape that core/domain/rulebook_json.py reads. As
-- text, because its decimals (a percent of 12.5) must not pass through a float.
SELECT (jsonb_build_object(
    'bancaId', b.id, 'version', b.rulebook_version,
    'defaultMinBetCents', b.default_min_bet_cents,
    'globalMaxPerNumberCents', b.global_max_per_number_cents,
    'salesCutoffMinutes', b.sales_cutoff_minutes,
    'commissionPolicy', b.commission_policy,
    'ventanas', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'id', v.id, 'policy', v.commission_policy, 'listeroPolicy', (
                       SELECT u.commission_policy FROM users u
                        WHERE u.banca_id = b.id AND u.ventana_id = v.id AND u.role = 'VENTANA' AND u.is_active
                        ORDER BY u.updated_at DESC, u.id LIMIT 1)))
          FROM ventanas v WHERE v.banca_id = b.id), '[]'),
    'sellers', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', u.id, 'ventanaId', u.ventana_id, 'policy', u.commission_policy))
          FROM users u WHERE u.banca_id = b.id AND u.role = 'VENDEDOR'), '[]')) || rule_documents(b.id))::text
  FROM bancas b WHERE b.id = $1
