-- After a restore. $1: how many of the events' numbers are passed over.
SELECT begin_history($1)
