-- Each stored balance is the sum of its transfers: credits − debits; and the account may be overdrawn by no more than it is.
SELECT a.banca_id, format('account %s stores %s, its transfers say %s', a.id, a.balance_cents, coalesce(m.balance, 0)) AS finding
  FROM accounts a
  LEFT JOIN (
      SELECT banca_id, account_id, sum(amount) AS balance
        FROM (SELECT banca_id, credit_account_id AS account_id, amount_cents AS amount FROM transfers
              UNION ALL
              SELECT banca_id, debit_account_id, -amount_cents FROM transfers) x
       GROUP BY banca_id, account_id) m ON m.banca_id = a.banca_id AND m.account_id = a.id
 WHERE a.balance_cents IS NOT NULL AND a.balance_cents <> coalesce(m.balance, 0)
UNION ALL
SELECT a.banca_id, format('account %s may be overdrawn by %s, and is by %s', a.id, a.allowed_overdraft_cents, o.cents)
  FROM accounts a
 CROSS JOIN LATERAL (SELECT greatest(-(a.balance_cents + a.credit_limit_cents), 0) AS cents) o
 WHERE a.allowed_overdraft_cents <> o.cents
