-- $1: how many bancas at most, $2 those that rest, $3 a test's time or null.
SELECT banca_id, is_ready, waiting, oldest FROM statement_work_waiting($1, $2::uuid[], $3)
