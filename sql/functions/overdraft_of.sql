-- How far below its limit an account may stand with this balance: as far as it does. Whatever moves a balance otherwise than
-- within its limit, or lets go of a debt, sets allowed_overdraft_cents to it; a sale is judged by the limit alone, so that
-- it leaves it as it is. p_credit: null without a limit.
CREATE OR REPLACE FUNCTION overdraft_of(p_balance bigint, p_credit bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT greatest(-(p_balance + p_credit), 0)
$$;
ALTER FUNCTION overdraft_of OWNER TO banca_definer;
REVOKE ALL ON FUNCTION overdraft_of FROM PUBLIC;
