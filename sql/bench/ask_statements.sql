-- All days of a banca ($1) on which tickets were sold are to be computed anew.
INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)
SELECT banca_id, dimension, entity_id, business_date FROM statements WHERE banca_id = $1 AND ticket_count > 0
