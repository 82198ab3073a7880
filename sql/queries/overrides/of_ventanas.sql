-- Active overrides that a ventana wrote, or changed last. $1 banca.
SELECT o.id, o.loteria_id FROM multiplier_overrides o
 WHERE o.banca_id = $1 AND o.is_active AND coalesce(o.updated_by_role, o.created_by_role) = 'VENTANA'
 ORDER BY o.id
