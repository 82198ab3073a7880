SELECT oldest_transaction_s()
