-- How much of each kind a banca's rulebook holds, and what of that is one ventana's and its sellers'. Only what is in force
-- counts; of commission policies their rules. $1 banca, $2 ventana or null.
WITH policies AS (
    SELECT b.commission_policy AS policy, false AS is_own FROM bancas b WHERE b.id = $1
    UNION ALL
    SELECT v.commission_policy, v.id = $2 FROM ventanas v WHERE v.banca_id = $1
    UNION ALL
    SELECT u.commission_policy, u.ventana_id = $2 FROM users u WHERE u.banca_id = $1
), owners AS (
    SELECT $2::uuid AS id
    UNION ALL
    SELECT u.id FROM users u WHERE u.banca_id = $1 AND u.ventana_id = $2
)
SELECT 'restrictions' AS kind, count(*) AS in_force,
       count(*) FILTER (WHERE coalesce(r.user_id, r.ventana_id) IN (SELECT id FROM owners)) AS own
  FROM restriction_rules r WHERE r.banca_id = $1 AND r.is_active
UNION ALL
SELECT 'overrides', count(*), count(*) FILTER (WHERE coalesce(o.user_id, o.ventana_id) IN (SELECT id FROM owners))
  FROM multiplier_overrides o WHERE o.banca_id = $1 AND o.is_active
UNION ALL
SELECT 'multipliers', count(*), 0 FROM loteria_multipliers m WHERE m.banca_id = $1 AND m.is_active
UNION ALL
SELECT 'commission rules', coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE is_own), 0)
  FROM (SELECT is_own, CASE jsonb_typeof(policy -> 'rules') WHEN 'array' THEN jsonb_array_length(policy -> 'rules') ELSE 0 END
          FROM policies) p (is_own, n)
