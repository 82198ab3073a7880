-- No sale exceeded the cap that the rulebook version on its ticket set, judged in the order of commit: event ids are
-- drawn under the draw's lock, so within a draw they follow it. A cancel gives its stakes back from its event on.
WITH movement AS (
    SELECT j.banca_id, j.sorteo_id, j.number, t.event_id, t.sequence, t.rulebook_version, true AS is_sale,
           sum(j.amount_cents) AS amount
      FROM jugadas j
      JOIN tickets t ON t.banca_id = j.banca_id AND t.business_date = j.business_date
           AND t.sorteo_id = j.sorteo_id AND t.sequence = j.sequence
     GROUP BY j.banca_id, j.sorteo_id, j.number, t.event_id, t.sequence, t.rulebook_version
    UNION ALL
    SELECT j.banca_id, j.sorteo_id, j.number, r.event_id, t.sequence, t.rulebook_version, false, -sum(j.amount_cents)
      FROM tickets t
      JOIN transfers r ON r.banca_id = t.banca_id AND r.business_date = t.business_date AND r.reference_id = t.id
           AND r.kind = 'SALE_REVERSAL'
      JOIN jugadas j ON j.banca_id = t.banca_id AND j.business_date = t.business_date
           AND j.sorteo_id = t.sorteo_id AND j.sequence = t.sequence
     GROUP BY j.banca_id, j.sorteo_id, j.number, r.event_id, t.sequence, t.rulebook_version
), running AS (
    SELECT m.*, sum(m.amount) OVER (PARTITION BY m.banca_id, m.sorteo_id, m.number
                                    ORDER BY m.event_id, m.sequence) AS sold
      FROM movement m
)
SELECT r.banca_id, format('draw %s, number %s: ticket %s brought it to %s, its cap was %s', r.sorteo_id, r.number,
                          r.sequence, r.sold, v.limits ->> 'globalMaxPerNumberCents') AS finding
  FROM running r
  JOIN rulebook_versions v ON v.banca_id = r.banca_id AND v.version = r.rulebook_version
 WHERE r.is_sale AND r.sold > (v.limits ->> 'globalMaxPerNumberCents')::bigint
