SELECT delete_statement($1, $2, $3, $4, $5, $6)
