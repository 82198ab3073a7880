-- From when on the audit trail of every banca is complete: where its retention cut it latest; null while nothing was cut.
SELECT max(c.recorded_at) AS begins
  FROM (SELECT DISTINCT ON (banca_id) position, recorded_at FROM audit_chain ORDER BY banca_id, position) c
 WHERE c.position > 1
