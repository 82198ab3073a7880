-- $1 banca, $2 seller, $3 cents that the seller owes more.
UPDATE accounts SET balance_cents = balance_cents - $3, balance_version = balance_version + 1
 WHERE banca_id = $1 AND id = $2
RETURNING balance_cents, balance_version
