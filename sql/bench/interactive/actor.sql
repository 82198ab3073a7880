-- Who sells, and the accounts of the house: $1 banca, $2 actor, $3 session, $4 terminal.
SELECT z.revoked_at IS NULL AND z.expires_at > clock_timestamp() AND u.is_active AND v.is_active AND t.is_active
           AS may_sell,
       b.rulebook_version,
       (SELECT id FROM accounts WHERE banca_id = $1 AND kind = 'SALES') AS sales_id,
       (SELECT id FROM accounts WHERE banca_id = $1 AND kind = 'COMMISSIONS') AS commissions_id
  FROM bancas b
  JOIN sessions z ON z.id = $3
  JOIN users u ON u.id = $2 AND u.banca_id = b.id
  JOIN ventanas v ON v.banca_id = b.id AND v.id = u.ventana_id
  JOIN terminals t ON t.banca_id = b.id AND t.id = $4
 WHERE b.id = $1
