SELECT id, code FROM bancas ORDER BY code
