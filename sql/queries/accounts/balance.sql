-- $1 banca, $2 seller.
SELECT balance_cents, balance_version, credit_limit_cents
  FROM accounts
 WHERE banca_id = $1 AND id = $2 AND kind = 'SELLER'
