-- $1 banca, $2 the month's first day, $3 dimension, $4 the last entity seen or null, $5 limit.
SELECT closed, last, failures FROM close_month($1, $2, $3, $4, $5)
