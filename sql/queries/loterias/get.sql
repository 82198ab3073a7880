-- $1 banca, $2 loteria.
SELECT l.id, l.name, l.is_active, l.rules,
       (SELECT coalesce(json_agg(json_build_object('id', m.id, 'name', m.name, 'kind', m.kind,
                                                   'value_x', m.value_x_hundredths, 'is_active', m.is_active)
                                 ORDER BY m.created_at, m.id), '[]')
          FROM loteria_multipliers m
         WHERE m.banca_id = l.banca_id AND m.loteria_id = l.id AND m.is_active) AS multipliers
  FROM loterias l
 WHERE l.banca_id = $1 AND l.id = $2
