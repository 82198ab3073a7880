-- Until the transaction ends only this one changes the terminal; sales read it meanwhile. $1 banca, $2 terminal.
SELECT 1 FROM terminals WHERE banca_id = $1 AND id = $2 FOR NO KEY UPDATE
