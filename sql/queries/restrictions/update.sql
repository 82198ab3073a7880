-- A rule as a whole; the parameters are those of create.sql, with one id and one number. What says the same is no change.
UPDATE restriction_rules
   SET number = $3, is_active = $4, whole_banca = $5, ventana_id = $6, user_id = $7, is_auto_date = $8,
       max_amount_cents = $9, max_total_cents = $10, base_amount_cents = $11, sales_basis_points = $12,
       applies_to_vendedor = $13, applies_to_date = $14, applies_to_hour = $15, sales_cutoff_minutes = $16,
       loteria_id = $17, multiplier_id = $18, message = $19, auto_date_of = $20, updated_at = clock_timestamp(),
       updated_by = $21, updated_by_role = $22::text::user_role
 WHERE banca_id = $1 AND id = $2
   AND (number, is_active, whole_banca, ventana_id, user_id, is_auto_date, max_amount_cents, max_total_cents,
        base_amount_cents, sales_basis_points, applies_to_vendedor, applies_to_date, applies_to_hour,
        sales_cutoff_minutes, loteria_id, multiplier_id, message, auto_date_of)
       IS DISTINCT FROM ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
