"""Months as they ended, and what is found out about them later."""

from __future__ import annotations

import asyncio
from datetime import date, time, timedelta
from typing import Any

import asyncpg

from tests.databases import TestDatabase
from tests.statements.office import DIMENSIONS, Office, noon
from tests.workers.pipeline import eventually

DAY = timedelta(days=1)


async def test_who_is_found_active_in_a_closed_month_gets_a_closing(office: Office, sold: date) -> None:
    other = office.arena.sellers[1]
    month = sold.replace(day=1)
    later = sold + 40 * DAY
    assert await office.close_month(month) == len(DIMENSIONS)
    assert await office.close_month((month + 32 * DAY).replace(day=1)) == len(DIMENSIONS)
    await office.move(sold, 700, kind="payment", entity_id=other.id, now=noon(later))
    assert await closing_of(office, month, other.id) == (0, 700, 700)
    assert await closing_of(office, (month + 32 * DAY).replace(day=1), other.id) == (700, 0, 700)
    assert await office.findings() == []


async def test_a_month_is_closed_for_those_too_who_have_their_first_day_at_that_moment(
    office: Office, sold: date, database: TestDatabase
) -> None:
    other = office.arena.sellers[1]
    month = sold.replace(day=1)
    closer = await asyncpg.connect(database.owner_url)
    async with office.arena.owner.transaction():
        await office.move(sold, 700, kind="payment", entity_id=other.id, now=noon(sold + 40 * DAY))
        closing = asyncio.create_task(
            closer.fetchval("SELECT closed FROM close_month($1, $2, 'VENDEDOR')", office.arena.banca_id, month)
        )
        watcher = await asyncpg.connect(database.owner_url)
        await eventually(lambda: is_waiting(watcher, closer.get_server_pid(), closing))
        await watcher.close()
    assert await closing == 2
    await closer.close()
    assert await closing_of(office, month, other.id) == (0, 700, 700)


async def is_waiting(watcher: asyncpg.Connection[asyncpg.Record], pid: int, closing: asyncio.Task[int]) -> bool:
    waits: bool = await watcher.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid)
    return waits or closing.done()


async def test_a_month_closed_while_news_of_a_settled_day_waited_is_right_in_the_end(
    office: Office, sold: date
) -> None:
    month = sold.replace(day=1)
    later = sold + 40 * DAY
    await office.settle(sold + DAY)
    await office.revert()
    assert await office.close_month(month) == len(DIMENSIONS)
    await office.compute_on(later)
    assert await closing_of(office, month) == (0, 55_000, 55_000)
    assert await office.findings() == []


async def test_the_books_miss_a_closing(office: Office, sold: date) -> None:
    await office.close_month(sold)
    await office.arena.owner.execute("DELETE FROM monthly_closings WHERE dimension = 'VENTANA'")
    assert [check for check, _ in await office.findings()] == ["monthly_closings"]


async def test_a_month_ends_with_what_its_days_say_and_changes_when_they_do(office: Office) -> None:
    """MCL-1: opening 42,000, movement 150,000, closing 192,000."""
    await office.arena.owner.execute("UPDATE instance SET test_clock = true")
    january, now = date(2026, 1, 1), noon(date(2026, 2, 20))
    await office.move(date(2025, 12, 20), 4_200_000, kind="payment", now=now)
    await office.move(date(2026, 1, 10), 20_000_000, kind="payment", now=now)
    await office.move(date(2026, 1, 31), 5_000_000, at=time(23, 59), now=now)
    await office.move(date(2026, 2, 1), 1, now=now)
    assert await office.close_month(january) == 1
    assert await closing_of(office, january) == (4_200_000, 15_000_000, 19_200_000)
    assert await office.close_month(january) == 1
    # A day before it, one of it, one after it.
    for day, cents in ((date(2025, 12, 31), 1), (date(2026, 1, 2), 10), (date(2026, 2, 2), 100)):
        await office.move(day, cents, kind="payment", now=now)
    assert await closing_of(office, january) == (4_200_001, 15_000_010, 19_200_011)
    assert await office.findings() == []


async def test_who_only_owes_has_a_closing_too_and_who_never_did_anything_none(office: Office, sold: date) -> None:
    later = (sold.replace(day=1) + 65 * DAY).replace(day=1)
    assert await office.close_month(sold.replace(day=1)) == len(DIMENSIONS)
    assert await office.close_month(later) == len(DIMENSIONS)
    assert await closing_of(office, later) == (55_000, 0, 55_000)
    assert await office.close_month(sold.replace(day=1) - 40 * DAY) == 0
    assert await office.findings() == []


async def closing_of(office: Office, month: date, entity_id: Any = None) -> tuple[Any, ...]:
    row = await office.arena.owner.fetchrow(
        "SELECT opening_cents, movement_cents, closing_cents FROM monthly_closings"
        " WHERE month = $1 AND entity_id = $2",
        month, entity_id or office.arena.seller.id,
    )  # fmt: skip
    return () if row is None else tuple(row)
