-- Record events, once; the ids of those that were not recorded before. Arguments: sql/functions/record_events.sql.
SELECT record_events(
    $1, $2, $3::uuid[], $4::bigint[], $5::bytea[],
    $6::bigint[], $7::integer[], $8::date[], $9::timestamptz[], $10::text[], $11::uuid[], $12::text[], $13::uuid[],
    $14::text[], $15::text[], $16::text[], $17::text[])
