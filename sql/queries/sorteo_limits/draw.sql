-- A draw's own limits. $1 banca, $2 sorteo.
SELECT s.id AS sorteo_id, s.digits, s.status::text, s.global_limit_cents AS global_limit,
       (SELECT coalesce(json_agg(json_build_object('number', n.number, 'max_amount', n.max_amount_cents)
                                 ORDER BY n.number), '[]')
          FROM sorteo_number_limits n WHERE n.banca_id = s.banca_id AND n.sorteo_id = s.id) AS number_limits
  FROM sorteos s
 WHERE s.banca_id = $1 AND s.id = $2
