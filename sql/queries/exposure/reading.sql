-- What one snapshot says of a draw ($2) of a banca ($1): time, version of the rules, state, counters, payouts.
--
-- counters [scope, scope's id, number, cents] of all jugadas; number −1: the whole sales. Of the scopes $3 with their
--          ids $4. Missing means 0 only where a counter is kept, so one that is not tracked yet is the sum of the live
--          jugadas; each of these is a LATERAL of its own, that costs nothing where the counter is kept.
-- payouts  [number, cents of REVENTADO stakes, cents that NUMERO would pay] of the live jugadas; null unless $5. Of the
--          ventana $6 or, null, of all. What a line pays is rounded half up.
-- No row: there is no such banca. status null: it has no such draw.
WITH draw AS MATERIALIZED (
    SELECT s.id, s.business_date, s.status, s.is_active FROM sorteos s WHERE s.banca_id = $1 AND s.id = $2
), asked AS MATERIALIZED (
    SELECT a.scope::exposure_scope AS scope, a.scope_id,
           a.scope = 'BANCA' OR EXISTS (
               SELECT FROM exposure_tracking t
                WHERE t.banca_id = $1 AND t.sorteo_id = $2 AND t.scope = a.scope::exposure_scope
                  AND t.scope_id = a.scope_id AND t.multiplier_key = '00000000-0000-0000-0000-000000000000') AS is_kept
      FROM unnest($3::text[], $4::uuid[]) AS a (scope, scope_id)
), counter AS (
    SELECT a.scope, a.scope_id, e.number, e.amount_cents
      FROM asked a
      JOIN exposure e ON e.banca_id = $1 AND e.sorteo_id = $2 AND e.scope = a.scope AND e.scope_id = a.scope_id
           AND e.multiplier_key = '00000000-0000-0000-0000-000000000000'
     WHERE a.is_kept
    UNION ALL
    SELECT a.scope, a.scope_id, live.number, live.amount_cents
      FROM asked a
     CROSS JOIN LATERAL (
         SELECT n.number, capped_cents(sum(j.amount_cents)) AS amount_cents
           FROM (SELECT t.business_date, t.sequence FROM tickets t
                  WHERE a.scope = 'VENDEDOR' AND t.banca_id = $1 AND t.vendedor_id = a.scope_id
                    AND t.business_date = (SELECT business_date FROM draw) AND t.sorteo_id = $2 AND t.status = 'ACTIVE'
                 UNION ALL
                 SELECT t.business_date, t.sequence FROM tickets t
                  WHERE a.scope = 'VENTANA' AND t.banca_id = $1 AND t.ventana_id = a.scope_id
                    AND t.business_date = (SELECT business_date FROM draw) AND t.sorteo_id = $2 AND t.status = 'ACTIVE'
                ) t
           JOIN jugadas j ON j.banca_id = $1 AND j.business_date = t.business_date AND j.sorteo_id = $2
                AND j.sequence = t.sequence AND j.exclusion_id IS NULL
          CROSS JOIN LATERAL (VALUES (j.number), (-1::smallint)) AS n (number)
          GROUP BY n.number
         OFFSET 0) live
     WHERE NOT a.is_kept
), payout AS (
    SELECT j.number,
           capped_cents(coalesce(sum(j.amount_cents) FILTER (WHERE j.type = 'REVENTADO'), 0)) AS reventado_cents,
           capped_cents(coalesce(sum(prize_cents(j.amount_cents, j.multiplier_x_hundredths))
                                 FILTER (WHERE j.type = 'NUMERO'), 0)) AS payout_cents
      FROM tickets t
      JOIN jugadas j ON j.banca_id = $1 AND j.business_date = t.business_date AND j.sorteo_id = $2
           AND j.sequence = t.sequence AND j.exclusion_id IS NULL
     WHERE t.banca_id = $1 AND t.business_date = (SELECT business_date FROM draw) AND t.sorteo_id = $2
       AND t.status = 'ACTIVE' AND ($6::uuid IS NULL OR t.ventana_id = $6)
     GROUP BY j.number
)
SELECT date_trunc('milliseconds', clock_timestamp()) AS at, b.rulebook_version,
       (SELECT d.status::text FROM draw d) AS status, (SELECT d.is_active FROM draw d) AS is_active,
       coalesce((SELECT json_agg(json_build_array(c.scope, c.scope_id, c.number, c.amount_cents)) FROM counter c),
                '[]') AS counters,
       CASE WHEN $5::boolean THEN coalesce(
           (SELECT json_agg(json_build_array(p.number, p.reventado_cents, p.payout_cents)) FROM payout p), '[]') END
           AS payouts
  FROM bancas b WHERE b.id = $1
