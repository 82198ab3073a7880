-- Every transfer moves between two accounts of its banca.
SELECT t.banca_id, format('transfer %s of %s names an account that does not exist', t.kind, t.reference_id) AS finding
  FROM transfers t
  LEFT JOIN accounts d ON d.banca_id = t.banca_id AND d.id = t.debit_account_id
  LEFT JOIN accounts c ON c.banca_id = t.banca_id AND c.id = t.credit_account_id
 WHERE d.id IS NULL OR c.id IS NULL
