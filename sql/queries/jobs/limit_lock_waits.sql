-- Until the transaction ends. $1: how long a lock is waited for.
SELECT set_config('lock_timeout', $1, true)
