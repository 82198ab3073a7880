-- Which of these slots of the lottery's schedule are made: their draw is there, wherever it was moved (is_of_slot), or
-- another draw of the lottery stands at the instant. $1 banca, $2 loteria, $3 instants[].
SELECT slot_at AS at, id, true AS is_of_slot FROM sorteos
 WHERE banca_id = $1 AND slot_loteria_id = $2 AND slot_at = ANY ($3::timestamptz[])
UNION ALL
SELECT scheduled_at, id, false FROM sorteos
 WHERE banca_id = $1 AND loteria_id = $2 AND scheduled_at = ANY ($3::timestamptz[])
