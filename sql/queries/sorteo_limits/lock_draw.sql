-- $1 banca, $2 sorteo. Waits for the batch of tickets in flight; what is read next is not closed meanwhile.
SELECT 1 FROM sorteos WHERE banca_id = $1 AND id = $2 FOR NO KEY UPDATE
