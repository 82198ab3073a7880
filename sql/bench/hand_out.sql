-- One payment to each seller of a banca ($1) on a day ($2), registered by somebody ($3): how many there are.
SELECT count(*) AS movements
  FROM users u
 CROSS JOIN LATERAL register_movement(
      $1, $3, 'bench-' || u.id, decode(repeat('00', 32), 'hex'), gen_random_uuid(), 'VENDEDOR', u.id, $2, '00:00', 100,
      'payment', 'cash', NULL, false, NULL) m
 WHERE u.banca_id = $1 AND u.role = 'VENDEDOR' AND m.outcome IN ('REGISTERED', 'KNOWN')
