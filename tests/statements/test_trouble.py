"""Workers that compute statements, when that is too much for them."""

from __future__ import annotations

from tests.statements.office import Office
from workers.statements import Statements

# As a call does that takes longer than it may.
NO_MORE_THAN_FIVE = """
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM gone) > 5 THEN
        RAISE EXCEPTION 'too much' USING ERRCODE = 'query_canceled';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stumble AFTER DELETE ON statement_work REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION stumble()
"""


async def test_what_takes_too_long_is_tried_with_fewer_days(office: Office) -> None:
    arena = office.arena
    await arena.owner.execute(NO_MORE_THAN_FIVE)
    await arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)"
        " SELECT $1, 'VENDEDOR', $2, date '2026-01-01' + n FROM generate_series(1, 18) AS n",
        arena.banca_id, arena.seller.id,
    )  # fmt: skip
    statements = Statements(office.evaluator.database, requests_at_once=40)
    made = []
    while await arena.owner.fetchval("SELECT count(*) FROM statement_work"):
        made.append(await statements.run_once())
        for trouble in statements.troubles.known.values():
            trouble.rests_until_s = 0
    # Of 40, 20, 10; then of 5, and so on with twice as many each time.
    assert made == [0, 0, 0, 5, 0, 5, 0, 5, 3]
    assert await office.findings() == []
