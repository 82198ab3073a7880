-- A banca with its house accounts, one ventana, two lotteries and their multipliers. Nothing limits it.
-- $1 banca, $2 name, $3 code, $4 ventana, $5 loteria of 2 digits, $6 its multiplier, $7 loteria of 3 digits,
-- $8 its multiplier.
WITH banca AS (
    INSERT INTO bancas (id, name, code, sales_cutoff_minutes, commission_policy, max_sessions_per_vendedor)
    VALUES ($1, $2, $3, 0,
            '{"version": 1, "effectiveFrom": null, "effectiveTo": null, "defaultPercent": 5, "rules": []}', 20)
    RETURNING id
), house AS (
    INSERT INTO accounts (banca_id, id, kind)
    SELECT id, gen_random_uuid(), kind FROM banca, unnest(enum_range(NULL::account_kind)) kind
     WHERE kind NOT IN ('SELLER', 'VENTANA')
), ventana AS (
    INSERT INTO ventanas (banca_id, id, name, code, commission_policy)
    SELECT id, $4, 'Ventana Central', 'V01',
           '{"version": 1, "effectiveFrom": null, "effectiveTo": null, "defaultPercent": 10, "rules": []}' FROM banca
    RETURNING banca_id, id
), ventana_account AS (
    INSERT INTO accounts (banca_id, id, kind) SELECT banca_id, id, 'VENTANA' FROM ventana
), lotteries AS (
    INSERT INTO loterias (banca_id, id, name, rules)
    SELECT id, l.loteria, l.name, l.rules::jsonb FROM banca, (VALUES
        ($5::uuid, 'Tiempos Tica', '{"digits": 2, "reventadoConfig": {"enabled": true}}'),
        ($7::uuid, 'Monazos Tica', '{"digits": 3, "numberRange": {"min": 0, "max": 999}}')) AS l (loteria, name, rules)
    RETURNING banca_id, id
)
INSERT INTO loteria_multipliers (banca_id, id, loteria_id, name, kind, value_x_hundredths)
SELECT l.banca_id, m.id, l.id, m.name, m.kind::jugada_type, m.x
  FROM lotteries l
  JOIN (VALUES ($5::uuid, $6::uuid, 'Base', 'NUMERO', 9000), ($5, gen_random_uuid(), 'Banda 85', 'NUMERO', 8500),
               ($5, gen_random_uuid(), 'Reventado', 'REVENTADO', 20000), ($7, $8::uuid, 'Base', 'NUMERO', 50000))
       AS m (loteria, id, name, kind, x) ON m.loteria = l.id
