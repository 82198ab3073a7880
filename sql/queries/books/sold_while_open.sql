-- Between a change to another state than open, and the next change or now, not one ticket was sold.
SELECT h.banca_id,
       format('sorteo %s: %s tickets were sold when it became %s (active: %s), %s when it changed again', h.sorteo_id,
              h.last_sequence, h.to_status, h.is_active, h.sequence_after) AS finding
  FROM (SELECT h.*, coalesce(lead(h.last_sequence) OVER (PARTITION BY h.banca_id, h.sorteo_id ORDER BY h.ordinal),
                             s.last_sequence) AS sequence_after
          FROM sorteo_states h JOIN sorteos s ON s.banca_id = h.banca_id AND s.id = h.sorteo_id) h
 WHERE (h.to_status <> 'OPEN' OR NOT h.is_active) AND h.sequence_after <> h.last_sequence
