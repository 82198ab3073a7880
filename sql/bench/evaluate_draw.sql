-- $1 banca, $2 draw, $3 winning number. at: when it was asked for, by the server's clock.
SELECT e.outcome, clock_timestamp() AS at
  FROM sorteos s
 CROSS JOIN LATERAL request_evaluation($1, $2, '{CLOSED}', '{t}', $3, NULL, NULL, $1, NULL, s.scheduled_at) e
 WHERE s.id = $2
