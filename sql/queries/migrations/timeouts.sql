-- Of this transaction: $1 for a lock, $2 for a statement.
SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)
