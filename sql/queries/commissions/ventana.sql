-- $1 banca, $2 ventana.
SELECT commission_policy::text AS policy, id FROM ventanas WHERE banca_id = $1 AND id = $2
