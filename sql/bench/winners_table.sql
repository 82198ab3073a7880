-- A draw's jugadas as a table of results would have them: what the bare update of its winners writes.
CREATE TABLE bench_winners (
    banca_id uuid, sorteo_id uuid, sequence bigint, line smallint, number smallint, x_hundredths integer,
    amount_cents bigint, is_winner boolean NOT NULL DEFAULT false, payout_cents bigint,
    PRIMARY KEY (banca_id, sorteo_id, sequence, line))
