"""What reading statements costs: which days leave the database, and where they are put together."""

from __future__ import annotations

from datetime import date
from threading import get_ident

import asyncpg
import pytest

from api import statement_readings
from core.domain.statements import Day
from core.queries import sql
from tests.arena import Arena
from tests.reads import rows_read
from tests.running_api import RunningApi
from tests.statements.clerk import Clerk, days_ago, today

SETTLED_DAYS = """
INSERT INTO statements (banca_id, dimension, entity_id, business_date, settled_at, created_at, updated_at)
SELECT $1, 'VENDEDOR', $2, date '2026-01-01' + day, now(), now(), now() FROM generate_series(0, 364) AS day
"""
# Of the lookup itself.
SLACK = 5


@pytest.fixture
async def boss(api: RunningApi, arena: Arena) -> Clerk:
    return await Clerk.of(api, arena)


async def test_of_what_came_before_only_the_last_day_is_read(arena: Arena, boss: Clerk) -> None:
    """The uncut history follows from all of it, which stays in the database."""
    for days, amount in ((9, "1.00"), (7, "2.00"), (5, "4.00"), (3, "8.00")):
        await boss.moved(amount, vendedorId=arena.seller.id, day=days_ago(days), type="payment")
    for uncut in (False, True):
        about = (arena.banca_id, "VENDEDOR", [arena.seller.id], days_ago(4), today(), uncut)
        rows = await arena.owner.fetch(sql("statements/days"), *about)
        found = [(row["business_date"], row["opening_cents"]) for row in rows]
        assert found == [(days_ago(5), 300), (days_ago(3), 700)]


async def test_days_are_put_together_while_others_sell(
    arena: Arena, boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread of their own: the loop is everybody's."""
    await boss.moved(vendedorId=arena.seller.id)
    threads, day_of = set(), statement_readings.day_of

    def noted(row: asyncpg.Record) -> Day:
        threads.add(get_ident())
        return day_of(row)

    monkeypatch.setattr(statement_readings, "day_of", noted)
    assert (await boss.get("/balance/current?dimension=vendedor"))["balance"] == "-50.00"
    assert threads
    assert get_ident() not in threads


async def test_how_far_a_seller_is_settled_is_looked_up_once(arena: Arena) -> None:
    """Not once for each of its days."""
    await arena.owner.execute(SETTLED_DAYS, arena.banca_id, arena.seller.id)
    await arena.owner.execute("ANALYZE statements")
    before = await rows_read(arena.owner, "statements")
    about = (arena.banca_id, "VENDEDOR", [arena.seller.id], date(2026, 9, 1), date(2026, 9, 30), False)
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL ROLE banca_api")
        await arena.owner.execute(f"SET LOCAL app.banca_id = '{arena.banca_id}'")
        rows = await arena.owner.fetch(sql("statements/days"), *about)
    assert {row["settled_through"] for row in rows} == {date(2026, 12, 31)}
    assert await rows_read(arena.owner, "statements") - before <= len(rows) + SLACK
