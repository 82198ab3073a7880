-- What everybody of a banca ($1) owes, carried from $2 to $3 day by day: how many rows there are then in these days.
WITH carried AS MATERIALIZED (
    SELECT d.day, (carry_forward($1, d.day::date)).created
      FROM generate_series($2::date + 1, $3::date, interval '1 day') AS d (day))
SELECT sum(c.created) AS rows FROM carried c
