-- Active rules whose number is the day of the month: all of them, and those of the draw's day. $1 banca.
SELECT count(*) AS all_rules, count(*) FILTER (WHERE auto_date_of = 'SORTEO') AS of_sorteo_days
  FROM restriction_rules WHERE banca_id = $1 AND is_auto_date AND is_active
