-- Who administers. $1 id, $2 role, $3 username, $4 name, $5 password hash, $6 code of the banca or null, $7 code of the
-- ventana or null. Gives no row when there is no such banca or ventana.
INSERT INTO users (id, banca_id, ventana_id, role, username, name, password_hash)
SELECT $1, b.id, v.id, $2::user_role, $3, $4, $5
  FROM (SELECT) x
  LEFT JOIN bancas b ON b.code = $6
  LEFT JOIN ventanas v ON v.banca_id = b.id AND v.code = $7
 WHERE ($6::text IS NULL OR b.id IS NOT NULL) AND ($7::text IS NULL OR v.id IS NOT NULL)
RETURNING id
