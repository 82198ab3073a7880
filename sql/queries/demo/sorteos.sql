-- Open draws, a millisecond apart: $1 banca, $2 loteria, $3 ids[], $4 first instant, $5 digits.
INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, status, scheduled_at, business_date, daily_ordinal)
SELECT $1, s.id, $2, 'Demo ' || to_char($4::timestamptz - interval '6 hours', 'YYYY-MM-DD HH24:MI:SS')
       || ' #' || s.n, $5, 'OPEN', $4::timestamptz + (s.n - 1) * interval '1 millisecond', '-infinity', 1
  FROM unnest($3::uuid[]) WITH ORDINALITY AS s (id, n) ORDER BY s.n
