-- What came of a draw's newest evaluation; one row if there is such a draw, its result null where it never had one.
SELECT s.id AS sorteo_id, s.status::text AS status, s.digits, r.evaluation, r.state::text AS state, r.winning_number,
       r.extra_multiplier_id, r.extra_x_hundredths, r.extra_outcome_code, r.next_sequence, r.last_sequence,
       r.has_winner, r.winning_tickets, r.total_in_cents, r.total_out_cents, r.net_profit_cents, r.settled_at,
       r.requested_by, r.requested_at, r.revert_reason, r.revert_forced, r.revert_requested_by, r.revert_requested_at,
       r.reverted_at, r.failed_at, r.failure
  FROM sorteos s
  LEFT JOIN LATERAL (
       SELECT * FROM sorteo_results r WHERE r.banca_id = $1 AND r.sorteo_id = s.id
        ORDER BY r.evaluation DESC LIMIT 1) r ON true
 WHERE s.banca_id = $1 AND s.id = $2
