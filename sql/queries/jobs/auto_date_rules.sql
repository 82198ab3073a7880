-- $1 banca.
SELECT count(*) FROM restriction_rules WHERE banca_id = $1 AND is_auto_date AND is_active
