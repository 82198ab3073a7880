-- The yardstick of an evaluation. $1 banca, $2 draw, $3 number. Gives the seconds and the winners.
WITH began AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), won AS (
    UPDATE bench_winners w
       SET is_winner = true, payout_cents = (w.amount_cents * w.x_hundredths + 50) / 100
     WHERE w.banca_id = $1 AND w.sorteo_id = $2 AND w.number = $3
    RETURNING 1
)
SELECT extract(epoch FROM clock_timestamp() - min(began.at))::float8 AS seconds, count(*) AS winners FROM began, won
