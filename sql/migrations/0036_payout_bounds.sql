-- What the live jugadas of a draw may cost at most, number by number, beside the stakes that the counters tell already.

-- The most that one number of one draw may cost: its stakes, or what it would pay. The largest value keeps every sum of a
-- draw (1,000 numbers) and a REVENTADO that a later multiplier pays (9999.00) inside a bigint.
ALTER TABLE bancas ADD COLUMN number_payout_max_cents bigint NOT NULL DEFAULT 100000000000000
    CONSTRAINT bancas_number_payout_max_holds CHECK (number_payout_max_cents BETWEEN 1 AND 100000000000000);
GRANT UPDATE (number_payout_max_cents) ON bancas TO banca_api;

-- payout_cents: the prizes of the NUMERO jugadas, were their number drawn. reventado_cents: the stakes of the REVENTADO
-- jugadas, of which the result decides what they pay. counted_cents: how much of amount_cents these two tell of; where it
-- differs, jugadas were sold before the columns were kept, and the next sale of the draw counts them (count_payouts).
ALTER TABLE exposure
    ADD COLUMN payout_cents numeric NOT NULL DEFAULT 0,
    ADD COLUMN reventado_cents bigint NOT NULL DEFAULT 0,
    ADD COLUMN counted_cents bigint NOT NULL DEFAULT 0;
GRANT UPDATE (payout_cents, reventado_cents, counted_cents) ON exposure TO banca_definer;
