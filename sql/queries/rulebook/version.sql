SELECT rulebook_version FROM bancas WHERE id = $1
