-- No sale exceeded the cap that the rulebook version on its ticket set, judged in the order of commit: event ids are
-- drawn under the draw's lock, so within a draw they follow it. A restore is judged like a sale, by the version of its
-- day. What is cancelled or excluded gives its stakes back from its event on; what is included takes them unjudged.
WITH movement AS (
    SELECT j.banca_id, j.sorteo_id, j.number, t.event_id, t.sequence, t.rulebook_version, true AS is_judged,
           sum(j.amount_cents) AS amount
      FROM jugadas j
      JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date
           AND t.sorteo_id = j.sorteo_id AND t.sequence = j.sequence
     GROUP BY j.banca_id, j.sorteo_id, j.number, t.event_id, t.sequence, t.rulebook_version
    UNION ALL
    SELECT j.banca_id, j.sorteo_id, j.number, m.event_id, m.sequence, r.rulebook_version, r.event_id IS NOT NULL,
           sum(CASE WHEN m.is_live THEN j.amount_cents ELSE -j.amount_cents END)
      FROM jugada_moves m
      JOIN jugadas j ON j.banca_id = m.banca_id AND j.business_date = m.business_date AND j.sorteo_id = m.sorteo_id
           AND j.sequence = m.sequence AND j.line = m.line
      LEFT JOIN ticket_restores r ON r.banca_id = m.banca_id AND r.business_date = m.business_date
           AND r.sorteo_id = m.sorteo_id AND r.sequence = m.sequence AND r.event_id = m.event_id
     GROUP BY j.banca_id, j.sorteo_id, j.number, m.event_id, m.sequence, r.rulebook_version, r.event_id
), running AS (
    SELECT m.*, sum(m.amount) OVER (PARTITION BY m.banca_id, m.sorteo_id, m.number
                                    ORDER BY m.event_id, m.sequence) AS sold
      FROM movement m
)
SELECT r.banca_id, format('draw %s, number %s: ticket %s brought it to %s, its cap was %s', r.sorteo_id, r.number,
                          r.sequence, r.sold, v.limits ->> 'globalMaxPerNumberCents') AS finding
  FROM running r
  JOIN rulebook_versions v ON v.banca_id = r.banca_id AND v.version = r.rulebook_version
 WHERE r.is_judged AND r.sold > (v.limits ->> 'globalMaxPerNumberCents')::bigint
