SELECT trust_balances($1)
