-- The application writes rules where rules are columns of a row: exactly those, under the policies of the row's tenant.

GRANT UPDATE (default_min_bet_cents, global_max_per_number_cents, sales_cutoff_minutes, commission_policy)
    ON bancas TO banca_api;
GRANT UPDATE (commission_policy, updated_at) ON ventanas TO banca_api;
GRANT UPDATE (commission_policy, updated_at) ON users TO banca_api;
GRANT UPDATE (name, rules, is_active, updated_at) ON loterias TO banca_api;
GRANT INSERT (banca_id, id, loteria_id, name, kind, value_x_hundredths, applies_to_date)
    ON loteria_multipliers TO banca_api;
GRANT UPDATE (name, value_x_hundredths, applies_to_date, is_active, updated_at) ON loteria_multipliers TO banca_api;
GRANT UPDATE (global_limit_cents, updated_at) ON sorteos TO banca_api;

-- Rules are switched off, never deleted: what a past version said can still be read.
REVOKE DELETE ON restriction_rules, multiplier_overrides, banca_loteria_settings FROM banca_api;
