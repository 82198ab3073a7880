-- A draw's history, the latest first. $1 banca, $2 sorteo, $3 the last row seen or null, $4 limit, $5 offset.
SELECT h.ordinal, h.from_status::text, h.to_status::text, h.is_active, h.last_sequence AS tickets_sold, h.at,
       h.actor_id, h.reason, h.request_id
  FROM sorteo_states h
 WHERE h.banca_id = $1 AND h.sorteo_id = $2 AND ($3::integer IS NULL OR h.ordinal < $3)
 ORDER BY h.ordinal DESC
 LIMIT $4 OFFSET $5
