-- The demo banca: its ids, as the first start made them. $1 code.
SELECT b.id AS banca_id, v.id AS ventana_id,
       (SELECT l.id FROM loterias l WHERE l.banca_id = b.id AND l.rules ->> 'digits' = '2' LIMIT 1) AS loteria_2,
       (SELECT l.id FROM loterias l WHERE l.banca_id = b.id AND l.rules ->> 'digits' = '3' LIMIT 1) AS loteria_3,
       (SELECT jsonb_object_agg(m.loteria_id, m.id) FROM loteria_multipliers m
         WHERE m.banca_id = b.id AND m.name = 'Base') AS multipliers
  FROM bancas b JOIN ventanas v ON v.banca_id = b.id AND v.code = 'V01' WHERE b.code = $1
