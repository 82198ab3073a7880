-- $1 banca. One editor of its rules at a time. Sales only read the row, so none of them waits.
SELECT 1 FROM bancas WHERE id = $1 FOR NO KEY UPDATE
