SELECT replace_password_hash($1, $2, $3)
