-- Draws of $1 (null: of every banca) that were sold under limits of a narrower kind than the banca's cap of a number, with
-- what a ticket needs to be judged again.
SELECT s.banca_id, s.id, s.loteria_id, s.digits, s.business_date, s.daily_ordinal, s.name, s.scheduled_at
  FROM sorteos s
 WHERE s.last_sequence > 0
   AND ($1::uuid IS NULL OR s.banca_id = $1)
   AND (EXISTS (SELECT FROM sorteo_limit_versions l WHERE l.banca_id = s.banca_id AND l.sorteo_id = s.id)
        OR EXISTS (SELECT FROM rulebook_versions v
                    WHERE v.banca_id = s.banca_id
                      AND (v.limits -> 'restrictions' <> '[]'
                           OR jsonb_path_exists(v.limits, '$.bancaLoteriaSettings[*].maxTotalPerSorteoCents ? (@ != null)'))
                      AND v.version IN (SELECT DISTINCT t.rulebook_version FROM tickets t
                                         WHERE t.banca_id = s.banca_id AND t.business_date = s.business_date
                                           AND t.sorteo_id = s.id)))
 ORDER BY s.banca_id, s.id
