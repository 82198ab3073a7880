-- Judging a tight batch is judge_tight_sales' part now.
DROP FUNCTION IF EXISTS sale_claims;
