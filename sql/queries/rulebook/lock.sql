-- $1 banca. One editor of its rules at a time; sales only read the row, so none of them waits. Gives the version that
-- the editor finds.
SELECT rulebook_version FROM bancas WHERE id = $1 FOR NO KEY UPDATE
