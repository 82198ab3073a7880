-- $1 banca, $2 seller.
SELECT balance_cents, credit_limit_cents FROM accounts WHERE banca_id = $1 AND id = $2 FOR NO KEY UPDATE
