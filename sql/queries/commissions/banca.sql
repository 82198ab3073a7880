-- As text, because a percent of 12.5 must not pass through a float.
SELECT commission_policy::text AS policy FROM bancas WHERE id = $1
