-- Who sells in a seller's name; what every version of the rules allowed; word of a new version.

ALTER TYPE sale_verdict ADD VALUE IF NOT EXISTS 'SELLER_NOT_OWN';

-- What was let pass at the sale; null: nothing. json, not jsonb: a replay says the same to the byte.
ALTER TABLE tickets ADD COLUMN warnings json CHECK (json_typeof(warnings) = 'array');

-- The limits of a draw from that version of its banca's rules on; no row before the first says that there were none.
CREATE TABLE sorteo_limit_versions (
    banca_id uuid NOT NULL,
    sorteo_id uuid NOT NULL,
    version bigint NOT NULL,
    global_limit_cents bigint,
    -- {"15": cents}; null: none.
    number_limits jsonb,
    PRIMARY KEY (banca_id, sorteo_id, version),
    FOREIGN KEY (banca_id, sorteo_id) REFERENCES sorteos
);
ALTER TABLE sorteo_limit_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY sorteo_limit_versions_of_the_banca ON sorteo_limit_versions TO banca_api, banca_worker, banca_definer
    USING (banca_id = (SELECT current_banca())) WITH CHECK (banca_id = (SELECT current_banca()));
GRANT SELECT ON sorteo_limit_versions TO banca_api, banca_worker, banca_definer;

-- The limits of today are those of the version that stands.
INSERT INTO sorteo_limit_versions (banca_id, sorteo_id, version, global_limit_cents, number_limits)
SELECT s.banca_id, s.id, b.rulebook_version, s.global_limit_cents, n.limits
  FROM sorteos s
  JOIN bancas b ON b.id = s.banca_id
 CROSS JOIN LATERAL (SELECT jsonb_object_agg(n.number, n.max_amount_cents) AS limits FROM sorteo_number_limits n
                      WHERE n.banca_id = s.banca_id AND n.sorteo_id = s.id) n
 WHERE s.global_limit_cents IS NOT NULL OR n.limits IS NOT NULL;

-- An id says by itself whose scope it is. Without the scope between them the keys are found in one search: its equality
-- is not leakproof, so that row-level security keeps it out of an index's conditions.
ALTER TABLE exposure DROP CONSTRAINT exposure_pkey,
    ADD PRIMARY KEY (banca_id, sorteo_id, scope_id, multiplier_key, number);
ALTER TABLE exposure_tracking DROP CONSTRAINT exposure_tracking_pkey,
    ADD PRIMARY KEY (banca_id, sorteo_id, scope_id, multiplier_key);
-- The id beside the time would make this index look as good as the key to find a draw by its id.
DROP INDEX sorteos_by_time;
CREATE INDEX sorteos_by_time ON sorteos (banca_id, scheduled_at DESC);
