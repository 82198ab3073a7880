-- What an exclusion covers does not count, and nothing else is excluded: so nothing was sold past one. A ticket is EXCLUDED
-- when nothing of it is left. A draw knows whether an exclusion of it stands.
WITH jugada AS (
    SELECT j.banca_id, j.business_date, j.sorteo_id, j.sequence, j.line, j.number, j.type, j.multiplier_id, j.exclusion_id,
           t.ventana_id, t.vendedor_id, t.status,
           array_agg(j.multiplier_id) FILTER (WHERE j.type = 'NUMERO')
               OVER (PARTITION BY j.banca_id, j.sorteo_id, j.sequence, j.number) AS beside
      FROM jugadas j
      JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date AND t.sorteo_id = j.sorteo_id
           AND t.sequence = j.sequence
     WHERE EXISTS (SELECT FROM lista_exclusions e WHERE e.banca_id = j.banca_id AND e.sorteo_id = j.sorteo_id)
        OR j.exclusion_id IS NOT NULL
), covered AS (
    SELECT j.*, e.id AS covered_by
      FROM jugada j
      LEFT JOIN lista_exclusions e
        ON e.banca_id = j.banca_id AND e.sorteo_id = j.sorteo_id AND e.lifted_at IS NULL
       AND e.ventana_id = j.ventana_id AND (e.vendedor_id IS NULL OR e.vendedor_id = j.vendedor_id)
       AND (e.multiplier_id IS NULL OR e.multiplier_id = j.multiplier_id
            OR j.type = 'REVENTADO' AND e.multiplier_id = ANY (j.beside))
), judged AS (
    SELECT banca_id, sorteo_id, sequence, line, exclusion_id, status,
           array_agg(covered_by) FILTER (WHERE covered_by IS NOT NULL) AS covering
      FROM covered GROUP BY banca_id, sorteo_id, sequence, line, exclusion_id, status
)
SELECT banca_id, format('draw %s, ticket %s, line %s: excluded by %s, covered by %s', sorteo_id, sequence, line,
                        exclusion_id, covering) AS finding
  FROM judged
 -- A cancelled ticket is left as it was.
 WHERE (exclusion_id IS NULL AND covering IS NOT NULL AND status <> 'CANCELLED')
    OR (exclusion_id IS NOT NULL AND exclusion_id = ANY (covering) IS NOT TRUE)
UNION ALL
SELECT t.banca_id, format('draw %s: ticket %s is EXCLUDED, and something of it counts', t.sorteo_id, t.sequence)
  FROM tickets t
 WHERE t.status = 'EXCLUDED'
   AND EXISTS (SELECT FROM jugadas j
                WHERE j.banca_id = t.banca_id AND j.business_date = t.business_date AND j.sorteo_id = t.sorteo_id
                  AND j.sequence = t.sequence AND j.exclusion_id IS NULL)
UNION ALL
SELECT t.banca_id, format('draw %s: ticket %s is ACTIVE, and nothing of it counts', t.sorteo_id, t.sequence)
  FROM tickets t
 WHERE t.status = 'ACTIVE'
   AND (t.banca_id, t.sorteo_id) IN (SELECT e.banca_id, e.sorteo_id FROM lista_exclusions e)
   AND NOT EXISTS (SELECT FROM jugadas j
                    WHERE j.banca_id = t.banca_id AND j.business_date = t.business_date
                      AND j.sorteo_id = t.sorteo_id AND j.sequence = t.sequence AND j.exclusion_id IS NULL)
UNION ALL
SELECT s.banca_id, format('draw %s: has_exclusions is %s', s.id, s.has_exclusions)
  FROM sorteos s
 WHERE s.has_exclusions <> EXISTS (
       SELECT FROM lista_exclusions e
        WHERE e.banca_id = s.banca_id AND e.sorteo_id = s.id AND e.lifted_at IS NULL)
