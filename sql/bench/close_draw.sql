-- $1 banca, $2 draw. Its result may come before its time: only the benchmark says so.
WITH clock AS (UPDATE instance SET test_clock = true)
SELECT outcome FROM act_on_sorteo($1, $2, 'CLOSE', '{OPEN}', '{t}', '{CLOSED}', '{t}', NULL, 'bench', NULL, NULL)
