"""The first and the last moment of a movement, and the order in which whoever writes statements takes locks."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.domain.calendar import COSTA_RICA
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.statements.office import Office, noon
from tests.till.locks import waiting

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "at", "outcome"),
    [
        (0, time(11, 59), "REGISTERED"),
        (0, time(12), "REGISTERED"),
        (0, time(12, 1), "FUTURE_TIME"),
        (1, time(0), "FUTURE_DATE"),
        (-366, time(0), "REGISTERED"),
        (-367, time(0), "DATE_TOO_OLD"),
    ],
)
async def test_a_movement_is_of_a_year_ago_at_the_earliest_and_of_now_at_the_latest(
    office: Office, sold: date, days: int, at: time, outcome: str
) -> None:
    today = sold + 9 * DAY
    row = await office.move(today + days * DAY, 100, at=at, now=noon(today))
    assert row["outcome"] == outcome
    assert await office.findings() == []


@pytest.mark.parametrize(
    ("ago", "outcome"),
    [
        (-timedelta(milliseconds=1), "FUTURE_DATE"),
        (timedelta(), "DONE"),
        (366 * DAY, "DONE"),
        (367 * DAY, "DATE_TOO_OLD"),
    ],
)
async def test_a_reset_is_of_a_year_ago_at_the_earliest_and_of_now_at_the_latest(
    office: Office, sold: date, ago: timedelta, outcome: str
) -> None:
    now = noon(sold + 9 * DAY)
    assert await office.reset(now - ago, now=now) == outcome
    # The same instant once more, and one before it.
    if outcome == "DONE":
        assert await office.reset(now - ago, now=now) == "ALREADY_RESET"
    assert await office.findings() == []


@pytest.mark.parametrize("action", ["register", "reverse", "reset"])
async def test_who_waits_for_a_sellers_account_holds_no_statements(
    office: Office, sold: date, database: TestDatabase, action: str
) -> None:
    """All take the account first: else two of them could wait for each other."""
    arena, now = office.arena, noon(sold + 9 * DAY)
    movement: dict[str, Any] = (await office.move(sold, 500, now=now))["answer"]["payment"]
    calls = {
        "register": (
            (
                "SELECT outcome FROM register_movement($1, $2, $3, $4, gen_random_uuid(), 'VENDEDOR', $5, $6, '12:00', 100,"
                " 'payment', 'cash', NULL, false, 'r', $7)"
            ),
            (arena.seller.id, sold, now),
        ),
        "reverse": (
            "SELECT outcome FROM reverse_movement($1, $2, $3, $4, $5, 'no such cheque', 'r', $6)",
            (UUID(movement["id"]), now),
        ),
        "reset": (
            "SELECT outcome FROM reset_balance($1, $2, $3, $4, $5, $6, 'r', $7)",
            (arena.seller.id, datetime.combine(sold, time(1), COSTA_RICA), now),
        ),
    }
    holder = await asyncpg.connect(database.owner_url)
    writer = await asyncpg.connect(database.owner_url, server_settings={"application_name": "shop"})
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE", arena.seller.id)
            call, members = calls[action]
            writing = asyncio.create_task(
                writer.fetchval(call, arena.banca_id, office.admin.id, new_key(), bytes(32), *members)
            )
            await waiting(arena.owner)
            await holder.execute("SELECT set_config('app.banca_id', $1, true)", str(arena.banca_id))
            await holder.execute("SET LOCAL lock_timeout = '5s'")
            await holder.execute("SELECT lock_statements(ARRAY[$1::uuid])", arena.seller.id)
        assert await writing in ("REGISTERED", "REVERSED", "DONE")
    finally:
        await writer.close()
        await holder.close()
    await office.compute_on(sold + 9 * DAY)
    assert await office.findings() == []
