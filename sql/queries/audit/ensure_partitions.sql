-- $1: days of operations.
SELECT ensure_partitions(day) FROM unnest($1::date[]) AS d (day)
