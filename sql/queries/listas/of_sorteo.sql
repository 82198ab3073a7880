-- What a draw ($2) of a banca ($1) was sold, by list: of the ventana $3 or, null, of all; of the seller $4 or all; only with
-- the multiplier $5 or all; excluded jugadas too if $6. Cancelled tickets are left out. One row per ventana (level 3),
-- per seller in it (1), and per multiplier and exclusion of these (0): one where an exclusion is of all multipliers, whose
-- multiplier is null then. A ticket is counted once in each.
SELECT j.*, v.name AS ventana_name, v.code AS ventana_code, u.name AS vendedor_name, u.code AS vendedor_code,
       m.name AS multiplier_name, m.value_x_hundredths AS multiplier_x, e.vendedor_id IS NULL AS is_of_ventana,
       e.multiplier_id AS excluded_multiplier_id, e.reason, e.excluded_at
  FROM (SELECT grouping(t.vendedor_id, k.multiplier_id) AS level, t.ventana_id, t.vendedor_id, k.multiplier_id,
               j.exclusion_id, count(DISTINCT t.sequence) AS tickets, count(*) AS jugadas,
               bool_and(j.exclusion_id IS NOT NULL) AS is_excluded,
               capped_cents(coalesce(sum(j.amount_cents) FILTER (WHERE j.exclusion_id IS NULL), 0)) AS total_cents,
               capped_cents(coalesce(sum(j.amount_cents) FILTER (WHERE j.exclusion_id IS NOT NULL), 0)) AS excluded_cents,
               capped_cents(coalesce(sum(j.commission_cents) FILTER (WHERE j.exclusion_id IS NULL AND j.type = 'NUMERO'), 0))
                   AS numero_commission_cents,
               capped_cents(coalesce(sum(j.commission_cents) FILTER (WHERE j.exclusion_id IS NULL AND j.type = 'REVENTADO'), 0))
                   AS reventado_commission_cents,
               capped_cents(coalesce(sum(j.listero_commission_cents) FILTER (WHERE j.exclusion_id IS NULL), 0))
                   AS listero_commission_cents
          FROM sorteos s
          JOIN tickets t ON t.banca_id = $1 AND t.business_date = s.business_date AND t.sorteo_id = s.id
          JOIN jugadas j ON j.banca_id = $1 AND j.business_date = s.business_date AND j.sorteo_id = s.id
               AND j.sequence = t.sequence
          LEFT JOIN lista_exclusions x ON x.banca_id = $1 AND x.id = j.exclusion_id
         CROSS JOIN LATERAL (
               SELECT CASE WHEN x.id IS NULL OR x.multiplier_id IS NOT NULL THEN j.multiplier_id END AS multiplier_id) k
         WHERE s.banca_id = $1 AND s.id = $2 AND t.status <> 'CANCELLED'
           AND ($3::uuid IS NULL OR t.ventana_id = $3) AND ($4::uuid IS NULL OR t.vendedor_id = $4)
           AND ($5::uuid IS NULL OR j.multiplier_id = $5) AND ($6::boolean OR j.exclusion_id IS NULL)
         GROUP BY GROUPING SETS (
             (t.ventana_id), (t.ventana_id, t.vendedor_id),
             (t.ventana_id, t.vendedor_id, k.multiplier_id, j.exclusion_id))) j
  JOIN ventanas v ON v.banca_id = $1 AND v.id = j.ventana_id
  LEFT JOIN users u ON u.id = j.vendedor_id
  LEFT JOIN loteria_multipliers m ON m.banca_id = $1 AND m.id = j.multiplier_id
  LEFT JOIN lista_exclusions e ON e.banca_id = $1 AND e.id = j.exclusion_id
 ORDER BY v.name, j.ventana_id, j.level DESC, u.name, j.vendedor_id, m.value_x_hundredths, j.multiplier_id,
          j.exclusion_id
