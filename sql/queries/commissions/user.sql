-- Those who earn commissions. $1 banca, $2 user.
SELECT commission_policy::text AS policy, id, ventana_id, role::text FROM users
 WHERE banca_id = $1 AND id = $2 AND role IN ('VENTANA', 'VENDEDOR')
