SELECT * FROM sold_tickets($1, $2, $3, $4)
