-- A draw that nobody sold moves by itself. $1 banca, $2 sorteo, $3 action, $4–$7 the states it leads from and to, $8
-- layer, $9 reason, $10 when it is drawn, $11 its last sequence or null for any, $12 a test's time.
SELECT outcome, status, is_active, at
  FROM act_on_sorteo($1, $2, $3, $4::sorteo_status[], $5, $6::sorteo_status[], $7, NULL, $8, $9, NULL,
                     p_scheduled_at => $10, p_last_sequence => $11, p_at => $12)
