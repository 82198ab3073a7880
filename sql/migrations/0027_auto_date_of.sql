-- Whose day of the month is the number of an auto-date rule: the day of the sale, as it always was, or that of the draw.
ALTER TABLE restriction_rules
    ADD COLUMN auto_date_of text NOT NULL DEFAULT 'SALE'
        CONSTRAINT restriction_rules_auto_date_of_known CHECK (auto_date_of IN ('SALE', 'SORTEO')),
    ADD CONSTRAINT restriction_rules_auto_date_of_goes_with_it CHECK (is_auto_date OR auto_date_of = 'SALE');

-- The day of the sale and the day of the draw make two rules.
DROP INDEX restriction_rules_same_only_once;
CREATE UNIQUE INDEX restriction_rules_same_only_once ON restriction_rules
    (banca_id, user_id, ventana_id, whole_banca, number, is_auto_date, auto_date_of, loteria_id, multiplier_id,
     applies_to_vendedor, applies_to_date, applies_to_hour, (sales_cutoff_minutes IS NULL)) NULLS NOT DISTINCT
    WHERE is_active;
