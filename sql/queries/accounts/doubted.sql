SELECT are_balances_doubted()
