-- $1 banca, $2 ventana, $3 vendedor or null. No row: there is no such active ventana.
SELECT EXISTS (SELECT FROM users u
                WHERE u.banca_id = v.banca_id AND u.id = $3 AND u.ventana_id = v.id AND u.role = 'VENDEDOR'
              ) AS has_vendedor
  FROM ventanas v
 WHERE v.banca_id = $1 AND v.id = $2 AND v.is_active
