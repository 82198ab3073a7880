-- This transaction does nothing for as long as the migration takes.
SET LOCAL idle_in_transaction_session_timeout = 0
