-- The run's id. $1 banca, $2 job, $3 period, $4 day or null, $5 who asks or null, $6 layer, $7 reason, $8 request's id.
SELECT request_job($1, $2, $3, $4, $5, $6, $7, $8)
