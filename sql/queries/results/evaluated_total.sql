-- What the evaluated draws of some days came to together: $1–$7 as in evaluated_summary.sql.
SELECT count(*) AS draws, capped_cents(coalesce(sum(k.sales), 0)) AS sales,
       capped_cents(coalesce(sum(k.commission), 0)) AS commission,
       capped_cents(coalesce(sum(k.prizes), 0)) AS prizes
  FROM sorteos s
  JOIN sorteo_results r ON r.banca_id = s.banca_id AND r.sorteo_id = s.id AND r.state = 'DONE'
 CROSS JOIN LATERAL (
      SELECT sum(k.sales_cents) AS sales, sum(k.commission_cents) AS commission, sum(k.payouts_cents) AS prizes
        FROM sorteo_takings k
       WHERE k.banca_id = $1 AND k.business_date = s.business_date AND k.sorteo_id = s.id AND k.evaluation = r.evaluation
         AND ($6::uuid IS NULL OR k.vendedor_id = $6) AND ($7::uuid IS NULL OR k.ventana_id = $7)) k
 WHERE s.banca_id = $1 AND s.status = 'EVALUATED' AND s.business_date BETWEEN $2 AND $3
   AND ($4::uuid IS NULL OR s.loteria_id = $4)
   AND ($5::boolean IS NULL OR s.is_active = $5)
