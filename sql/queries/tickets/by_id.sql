-- Where a ticket is, by its id. It was sold on $3 at the earliest (its UUIDv7 says), so older months are not read.
SELECT business_date, sorteo_id, sequence FROM find_ticket_by_id($1, $2, $3)
