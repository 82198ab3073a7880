-- $1: consumers. $2: seconds since the publication. $3: how many at most.
SELECT forget_events($1::text[], make_interval(secs => $2), $3)
