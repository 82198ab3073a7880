-- What a banca lets its ventanas write: how high, and of which kinds.

ALTER TABLE bancas
    -- Of their overrides; null: what the banca itself sells the lottery at, at most.
    ADD COLUMN ventana_max_multiplier_x_hundredths integer
        CONSTRAINT bancas_ventana_max_multiplier CHECK (ventana_max_multiplier_x_hundredths BETWEEN 1 AND 999900),
    -- Of the commission policies that they give to their sellers. 20 %: no example of the trade pays more.
    ADD COLUMN ventana_max_commission_basis_points integer NOT NULL DEFAULT 2000
        CONSTRAINT bancas_ventana_max_commission CHECK (ventana_max_commission_basis_points BETWEEN 0 AND 10000),
    ADD COLUMN ventana_writes text[] NOT NULL
        DEFAULT ARRAY['LIMIT', 'BLOCK', 'OVERRIDE', 'COMMISSION_POLICY', 'MOVEMENT']
        CONSTRAINT bancas_ventana_writes_known
        CHECK (ventana_writes <@ ARRAY['LIMIT', 'BLOCK', 'OVERRIDE', 'COMMISSION_POLICY', 'MOVEMENT']
               AND array_position(ventana_writes, NULL) IS NULL);
GRANT UPDATE (ventana_max_multiplier_x_hundredths, ventana_max_commission_basis_points, ventana_writes)
    ON bancas TO banca_api;

-- They are part of the rules: a change makes a version, and is recorded in the trail with it.
CREATE TRIGGER bancas_ventana_bounds_bump AFTER UPDATE ON bancas
    FOR EACH ROW
    WHEN ((OLD.ventana_max_multiplier_x_hundredths, OLD.ventana_max_commission_basis_points, OLD.ventana_writes)
          IS DISTINCT FROM
          (NEW.ventana_max_multiplier_x_hundredths, NEW.ventana_max_commission_basis_points, NEW.ventana_writes))
    EXECUTE FUNCTION bump_rulebook_of_banca();
