-- At which of these instants the lottery has a draw. $1 banca, $2 loteria, $3 instants[].
SELECT scheduled_at FROM sorteos WHERE banca_id = $1 AND loteria_id = $2 AND scheduled_at = ANY ($3::timestamptz[])
