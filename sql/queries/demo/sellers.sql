-- Sellers with an account each (no credit limit) and a terminal of their own; their rate limit is lifted.
-- $1 banca, $2 ventana, $3 ids[], $4 usernames[], $5 password hash, $6 terminal ids[], $7 master key id.
-- The commission policy of a seller is her own, so that it is credited to her.
WITH seller AS (
    INSERT INTO users (id, banca_id, ventana_id, role, username, name, password_hash, rate_limited,
                       max_sessions_per_vendedor, commission_policy)
    SELECT s.id, $1, $2, 'VENDEDOR', s.username, s.username, $5, false, 20,
           '{"version": 1, "effectiveFrom": null, "effectiveTo": null, "defaultPercent": 8, "rules": []}'
      FROM unnest($3::uuid[], $4::text[]) AS s (id, username)
    RETURNING id
), account AS (
    INSERT INTO accounts (banca_id, id, kind, balance_cents, credit_limit_cents)
    SELECT $1, id, 'SELLER', 0, NULL FROM seller
)
INSERT INTO terminals (banca_id, id, ventana_id, vendedor_id, name, master_key_id)
SELECT $1, t.id, $2, s.id, 'POS ' || t.n, $7
  FROM unnest($3::uuid[], $6::uuid[]) WITH ORDINALITY AS t (vendedor, id, n)
  JOIN seller s ON s.id = t.vendedor
