SELECT record_failed_login($1, $2, $3, $4)
