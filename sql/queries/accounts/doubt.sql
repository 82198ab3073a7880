SELECT doubt_balances($1, $2)
