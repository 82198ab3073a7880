-- $1 banca, $2 active or not or null, $3 and $4 the last row seen or nulls, $5 limit, $6 offset.
SELECT l.id, l.name, l.is_active, l.rules,
       (SELECT coalesce(json_agg(json_build_object('id', m.id, 'name', m.name, 'kind', m.kind,
                                                   'value_x', m.value_x_hundredths, 'is_active', m.is_active)
                                 ORDER BY m.created_at, m.id), '[]')
          FROM loteria_multipliers m
         WHERE m.banca_id = l.banca_id AND m.loteria_id = l.id AND m.is_active) AS multipliers
  FROM loterias l
 WHERE l.banca_id = $1
   AND ($2::boolean IS NULL OR l.is_active = $2)
   AND ($3::text IS NULL OR (l.name, l.id) > ($3, $4::uuid))
 ORDER BY l.name, l.id
 LIMIT $5 OFFSET $6
