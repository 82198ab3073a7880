-- $6 the instant, null for now; $7 whether the last reset is taken back instead.
SELECT * FROM reset_balance(
    $1, $2, $3, $4, $5, CASE WHEN NOT $7 THEN coalesce($6, date_trunc('milliseconds', clock_timestamp())) END, $8)
