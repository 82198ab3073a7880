-- $1 banca, $2 sorteo, $3 the last sequence.
UPDATE sorteos SET last_sequence = $3 WHERE banca_id = $1 AND id = $2
