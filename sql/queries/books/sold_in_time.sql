-- No ticket was sold after its draw (by the database's clock, a second of grace included).
SELECT t.banca_id, format('ticket %s was sold at %s, its draw was at %s', t.id, t.created_at, s.scheduled_at) AS finding
  FROM tickets t JOIN sorteos s ON s.banca_id = t.banca_id AND s.id = t.sorteo_id
 WHERE t.created_at >= s.scheduled_at + interval '1 second'
