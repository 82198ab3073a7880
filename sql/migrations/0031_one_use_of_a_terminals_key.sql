-- Of two actors that use one key on one terminal at the same moment, in two processes, the second to write fails here, and
-- its call is repeated: it then finds what the first recorded.
CREATE UNIQUE INDEX idempotency_by_terminal ON idempotency (banca_id, terminal_id, key) WHERE terminal_id IS NOT NULL;
