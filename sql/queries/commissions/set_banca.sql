-- $1 and $2 banca, $3 policy or null. What says the same is no change.
UPDATE bancas SET commission_policy = $3 WHERE id = $1 AND id = $2 AND commission_policy IS DISTINCT FROM $3
