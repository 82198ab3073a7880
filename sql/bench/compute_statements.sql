-- One call of the workers' for a banca ($1), how long it took, and how much is left: what another worker is at, too.
SELECT (recompute_statements($1, 500)).done AS done,
       extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 AS seconds,
       (SELECT count(*) FROM statement_work WHERE banca_id = $1) AS left_before
