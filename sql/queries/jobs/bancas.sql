-- Of the command line, as the owner. $1: a code, or null for all that are active.
SELECT id, code FROM bancas WHERE CASE WHEN $1::text IS NULL THEN is_active ELSE code = $1 END ORDER BY code
