-- As text, because a percent of 12.5 must not pass through a float. $1 banca.
SELECT commission_policy::text AS policy, id FROM bancas WHERE id = $1
