"""Workers that compute statements, when that is too much for them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.arena import Arena
from tests.statements.office import Office
from tests.workers.test_jobs import told
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


# As data do that no row can hold.
POISON = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entity_id = '{entity}' {where} THEN
        RAISE EXCEPTION 'too large for a row' USING ERRCODE = '{code}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION poison()
"""
CURE = "DROP FUNCTION poison CASCADE"
NOON = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)


async def poison(
    office: Office, entity_id: object, *, table: str = "statements", code: str = "22003", where: str = ""
) -> None:
    await office.arena.owner.execute(POISON.format(entity=entity_id, table=table, code=code, where=where))


async def ask(office: Office, entity_id: object, *, dimension: str = "VENDEDOR", days: int = 1) -> None:
    await office.arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date)"
        " SELECT $1, $2::text::statement_dimension, $3, date '2026-01-01' + n FROM generate_series(1, $4::integer) AS n",
        office.arena.banca_id, dimension, entity_id, days,
    )  # fmt: skip


async def waiting(office: Office) -> list[tuple[Any, ...]]:
    rows = await office.arena.owner.fetch("SELECT entity_id, failures, rests_until FROM statement_work ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_day_that_cannot_be_computed_rests_and_the_others_do_not_wait_for_it(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Also those that were asked for later; and it is tried again, less and less often, until it works."""
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    caplog.set_level(logging.INFO, "banca.statements")
    poisonous, other = arena.seller.id, arena.sellers[1].id
    statements = Statements(office.evaluator.database, at=NOON)
    await office.move(datetime(2026, 1, 2, tzinfo=UTC).date(), 100, entity_id=other, now=NOON)
    await arena.owner.execute("DELETE FROM statements")
    await office.move(datetime(2026, 1, 2, tzinfo=UTC).date(), 100, entity_id=poisonous, now=NOON)
    await poison(office, poisonous)
    await ask(office, poisonous)
    await ask(office, other, days=9)
    assert await statements.run_once() == 9
    assert await waiting(office) == [(poisonous, 1, NOON + timedelta(seconds=1))]
    assert await office.arena.owner.fetchval("SELECT count(*) FROM statements WHERE entity_id = $1", other) == 1
    [line] = told(caplog, "STATEMENT_FAILED")
    assert line["payload"] == {
        "banca": str(arena.banca_id), "dimension": "VENDEDOR", "entityId": str(poisonous), "date": "2026-01-02",
        "errorType": "UNKNOWN_ERROR", "errorCode": "22003", "error": "too large for a row",
    }  # fmt: skip
    # Not before its time, and then after twice as long.
    assert await statements.run_once() == 0
    statements.at = NOON + timedelta(seconds=1)
    assert await statements.run_once() == 0
    assert await waiting(office) == [(poisonous, 2, NOON + timedelta(seconds=3))]
    await arena.owner.execute(CURE)
    statements.at = NOON + timedelta(minutes=10)
    assert await statements.run_once() == 1
    assert await waiting(office) == []
    assert await office.findings() == []


async def test_what_fails_for_the_moment_is_no_days_fault(office: Office) -> None:
    """A deadlock, a lock, a timeout: the whole call is tried again."""
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    await office.move(datetime(2026, 1, 2, tzinfo=UTC).date(), 100, now=NOON)
    await office.arena.owner.execute("DELETE FROM statements")
    await poison(office, office.arena.seller.id, code="40P01")
    await ask(office, office.arena.seller.id)
    statements = Statements(office.evaluator.database, at=NOON)
    assert await statements.run_once() == 0
    assert await waiting(office) == [(office.arena.seller.id, 0, None)]
    [trouble] = statements.troubles.known.values()
    assert trouble.failures == 1


async def test_one_that_always_takes_too_long_is_set_aside(office: Office) -> None:
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    slow, others = arena.seller.id, [uuid4() for _ in range(6)]
    await ask(office, slow)
    for other in others:
        await ask(office, other)
    await arena.owner.execute(
        NO_MORE_THAN_FIVE.replace("count(*) FROM gone) > 5", f"count(*) FROM gone WHERE entity_id = '{slow}') > 0")
    )
    statements = Statements(office.evaluator.database, requests_at_once=8, at=NOON)
    for _ in range(10):
        await statements.run_once()
        for trouble in statements.troubles.known.values():
            trouble.rests_until_s = 0
    assert [row[0] for row in await waiting(office)] == [slow]


async def test_what_took_too_long_before_rests_again_after_one_more_try(office: Office) -> None:
    """It comes alone, however many are tried at once: to try fewer would take as long each time."""
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    slow, other = arena.seller.id, arena.sellers[1].id
    await ask(office, slow)
    await arena.owner.execute(
        NO_MORE_THAN_FIVE.replace("count(*) FROM gone) > 5", f"count(*) FROM gone WHERE entity_id = '{slow}') > 0")
    )
    statements = Statements(office.evaluator.database, requests_at_once=1, at=NOON)
    assert await statements.run_once() == 0
    assert await waiting(office) == [(slow, 1, NOON + timedelta(seconds=1))]
    # What others do meanwhile makes no difference.
    statements = Statements(office.evaluator.database, requests_at_once=500, at=NOON + timedelta(seconds=1))
    await ask(office, other)
    assert await statements.run_once() == 1
    assert await statements.run_once() == 0
    assert await waiting(office) == [(slow, 2, NOON + timedelta(seconds=3))]


async def test_bancas_that_rest_do_not_keep_the_others_from_being_looked_at(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.statements.BANCAS_AT_ONCE", 1)
    arena = office.arena
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    other = await Arena.create(arena.owner, arena.settings)
    await office.move(datetime(2026, 1, 2, tzinfo=UTC).date(), 100, now=NOON)
    await arena.owner.execute("DELETE FROM statements")
    await poison(office, arena.seller.id)
    await ask(office, arena.seller.id)
    statements = Statements(office.evaluator.database, at=NOON)
    assert await statements.run_once() == 0
    await arena.owner.execute(
        "INSERT INTO statement_work (banca_id, dimension, entity_id, business_date) VALUES ($1, 'VENDEDOR', $2, '2026-01-02')",
        other.banca_id, other.seller.id,
    )  # fmt: skip
    assert await statements.run_once() == 1
    assert len(await waiting(office)) == 1
