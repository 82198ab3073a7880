-- Every ticket was priced with a version that is on record.
SELECT DISTINCT t.banca_id, format('rulebook version %s of tickets is not on record', t.rulebook_version) AS finding
  FROM tickets t
 WHERE NOT EXISTS (SELECT FROM rulebook_versions v
                    WHERE v.banca_id = t.banca_id AND v.version = t.rulebook_version)
