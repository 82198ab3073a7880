-- API processes that could not take changed balances out of the cache in time: while one of them has a row whose time is not
-- over, no process believes what is cached.
CREATE TABLE balance_doubts (
    process uuid PRIMARY KEY,
    until timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON balance_doubts TO banca_definer;
