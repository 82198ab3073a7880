-- $1 consumer; of each event its number, banca, type and content hash. Arguments: sql/functions/event_standings.sql.
SELECT event_id, standing FROM event_standings($1, $2::bigint[], $3::uuid[], $4::text[], $5::bytea[])
