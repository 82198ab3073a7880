-- $1 user, $2 banca, $3 ventana or null, $4 role, $5 username, $6 name, $7 password hash.
INSERT INTO users (id, banca_id, ventana_id, role, username, name, password_hash)
VALUES ($1, $2, $3, $4::user_role, $5, $6, $7)
