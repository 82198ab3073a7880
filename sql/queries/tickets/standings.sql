-- What later steps made of tickets, by (business date, sorteo, sequence) as parallel arrays ($2, $3, $4) in banca $1; one
-- snapshot. prizes: [[line, x in hundredths, cents]] of the evaluation that stands, null while none is done. payments: of
-- all evaluations, the oldest first; waivedOf: the evaluation of whose prize the rest was waived with it, or null.
-- excluded: lines. memo: null where cash was handed out under no result but the one that stands.
SELECT t.business_date, t.sorteo_id, t.sequence, t.status::text, t.cancelled_at, t.restored_at, r.evaluation,
       CASE WHEN r.evaluation IS NOT NULL THEN coalesce(z.prizes, '[]') END AS prizes, coalesce(p.payments, '[]') AS payments,
       coalesce(e.excluded, '{}') AS excluded, m.memo
  FROM unnest($2::date[], $3::uuid[], $4::bigint[]) AS k (day, sorteo, sequence)
 CROSS JOIN LATERAL find_ticket($1, k.day, k.sorteo, k.sequence) t
  LEFT JOIN LATERAL (
      SELECT evaluation FROM sorteo_results
       WHERE banca_id = $1 AND sorteo_id = k.sorteo AND state = 'DONE' OFFSET 0) r ON true
 CROSS JOIN LATERAL (
      SELECT json_agg(json_build_array(line, x_hundredths, amount_cents) ORDER BY line) AS prizes FROM prizes
       WHERE banca_id = $1 AND business_date = k.day AND sorteo_id = k.sorteo AND sequence = k.sequence
         AND evaluation = r.evaluation OFFSET 0) z
 CROSS JOIN LATERAL (
      SELECT jsonb_agg(payment_facts(y) || jsonb_build_object(
                 'evaluation', y.evaluation,
                 'waivedOf', CASE WHEN y.finalized_at IS NOT NULL THEN coalesce(y.finalized_evaluation, y.evaluation)
                                  WHEN y.is_final THEN y.evaluation END) ORDER BY y.ordinal) AS payments
        FROM ticket_payments y
       WHERE y.banca_id = $1 AND y.business_date = k.day AND y.ticket_id = t.id AND y.sorteo_id = k.sorteo
         AND y.sequence = k.sequence OFFSET 0) p
 CROSS JOIN LATERAL (
      SELECT array_agg(line) AS excluded FROM jugadas
       WHERE banca_id = $1 AND business_date = k.day AND sorteo_id = k.sorteo AND sequence = k.sequence
         AND exclusion_id IS NOT NULL OFFSET 0) e
  LEFT JOIN LATERAL (
      SELECT cash_memo_facts(c) AS memo FROM cash_memos c
       WHERE c.banca_id = $1 AND c.business_date = k.day AND c.ticket_id = t.id OFFSET 0) m ON true
