SELECT * FROM find_login($1)
