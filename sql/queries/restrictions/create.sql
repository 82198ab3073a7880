-- One rule per number. $1 banca, $2 ids[], $3 numbers[] (null: any number), $4 active or not, $5 for the whole banca,
-- $6 ventana, $7 seller, $8 number is the day of the month, $9–$11 cents of maxAmount, maxTotal and baseAmount,
-- $12 basis points, $13 each seller apart, $14 day, $15 hour, $16 cutoff, $17 loteria, $18 multiplier, $19 message,
-- $20 whose day of the month, $21 and $22 who writes, and as what.
INSERT INTO restriction_rules
    (banca_id, id, number, is_active, whole_banca, ventana_id, user_id, is_auto_date, max_amount_cents, max_total_cents,
     base_amount_cents, sales_basis_points, applies_to_vendedor, applies_to_date, applies_to_hour,
     sales_cutoff_minutes, loteria_id, multiplier_id, message, auto_date_of, created_by, created_by_role)
SELECT $1, r.id, r.number, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
       $22::text::user_role
  FROM unnest($2::uuid[], $3::smallint[]) AS r (id, number)
