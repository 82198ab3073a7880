-- $1 banca, $2 what was recorded before goes, $3 rows.
SELECT deleted, is_more FROM trim_trail($1, $2, $3)
