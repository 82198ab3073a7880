-- $1 banca, $2 draw. at: when it was asked for, by the server's clock.
SELECT outcome, clock_timestamp() AS at
  FROM request_revert($1, $2, '{EVALUATED}', '{t}', 'benchmark', false, $1, NULL)
