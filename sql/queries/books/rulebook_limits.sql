-- What limited the sales of a banca ($1) at a version ($2), as a rulebook without prices; text, as in rulebook/load.sql.
-- No row where the version is not on record, or from before its limits were written down.
SELECT (jsonb_build_object('bancaId', v.banca_id, 'version', v.version, 'defaultMinBetCents', 0,
                           'salesCutoffMinutes', NULL, 'commissionPolicy', NULL, 'ventanas', '[]'::jsonb,
                           'sellers', '[]'::jsonb) || v.limits)::text AS document
  FROM rulebook_versions v
 WHERE v.banca_id = $1 AND v.version = $2 AND v.limits ? 'restrictions'
