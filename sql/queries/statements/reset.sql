-- $4 the instant, null for now; $5 whether the last reset is taken back instead.
SELECT * FROM reset_balance(
    $1, $2, $3, CASE WHEN NOT $5 THEN coalesce($4, date_trunc('milliseconds', clock_timestamp())) END, $6)
