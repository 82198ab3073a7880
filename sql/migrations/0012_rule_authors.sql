-- Who wrote a rule, and who changed it last: what a banca set for a ventana, the ventana does not lift. Null for rules
-- from before: they are the banca's.
ALTER TABLE restriction_rules
    ADD COLUMN created_by uuid REFERENCES users,
    ADD COLUMN created_by_role user_role,
    ADD COLUMN updated_by uuid REFERENCES users,
    ADD COLUMN updated_by_role user_role,
    ADD CONSTRAINT restriction_rules_author_has_a_role CHECK (
        (created_by IS NULL) = (created_by_role IS NULL) AND (updated_by IS NULL) = (updated_by_role IS NULL));
ALTER TABLE multiplier_overrides
    ADD COLUMN created_by uuid REFERENCES users,
    ADD COLUMN created_by_role user_role,
    ADD COLUMN updated_by uuid REFERENCES users,
    ADD COLUMN updated_by_role user_role,
    ADD CONSTRAINT multiplier_overrides_author_has_a_role CHECK (
        (created_by IS NULL) = (created_by_role IS NULL) AND (updated_by IS NULL) = (updated_by_role IS NULL));
