-- Who administers, and when each was last there. $1: a role, null for all of them.
SELECT u.id, u.username, u.name, u.role::text, b.code AS banca, v.code AS ventana, u.is_active, u.created_at,
       (SELECT max(s.last_used_at) FROM sessions s WHERE s.user_id = u.id) AS last_seen_at,
       (SELECT count(*) FROM sessions s
         WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()) AS live_sessions
  FROM users u
  LEFT JOIN bancas b ON b.id = u.banca_id
  LEFT JOIN ventanas v ON v.banca_id = u.banca_id AND v.id = u.ventana_id
 WHERE u.role <> 'VENDEDOR' AND ($1::text IS NULL OR u.role = $1::user_role)
 ORDER BY u.role, lower(u.username)
