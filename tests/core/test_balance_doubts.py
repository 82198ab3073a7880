"""Processes that doubt cached balances, as they tell each other by way of the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from core.balance_doubts import LOOK_AGE_MAX_S, BalanceDoubts
from core.database import Database, create_pool
from tests.databases import TestDatabase
from tests.proxy import Proxy
from tests.workers.pipeline import eventually


@pytest.fixture
async def api_database(database: TestDatabase) -> AsyncIterator[Database]:
    pool = await create_pool(database.api_url, size=4, timeout_s=5, application_name="tests")
    yield Database(pool, acquire_timeout_s=5)
    await pool.close()


async def test_when_a_doubt_is_raised_nobody_believes_the_cache_any_more(api_database: Database) -> None:
    ours, theirs = (BalanceDoubts(api_database, lasts_s=60) for _ in range(2))
    for _ in range(4):
        await eventually(theirs.are_none)
        # Their look is as young as can be.
        await ours.raise_ours()
        assert not await theirs.are_none()
        assert not await ours.are_none()
        began_s = time.monotonic()
        await asyncio.gather(*(ours.raise_ours() for _ in range(20)))
        assert time.monotonic() - began_s < LOOK_AGE_MAX_S, "it stands already"
        await ours.take_ours_back(unless=lambda: False)


async def test_a_doubt_stands_until_all_who_raised_one_took_it_back_or_its_time_is_over(api_database: Database) -> None:
    ours, others, theirs = (BalanceDoubts(api_database, lasts_s=lasts_s) for lasts_s in (60, 1.5, 60))
    await ours.raise_ours()
    await ours.take_ours_back(unless=lambda: True)
    assert not await theirs.are_none(), "something came in between"
    await others.raise_ours()
    await ours.take_ours_back(unless=lambda: False)
    # The other one died; what it doubted has outlived itself by then.
    await eventually(theirs.are_none)


async def test_who_cannot_look_believes_nothing(database: TestDatabase) -> None:
    async with Proxy(database.api_url) as proxy:
        pool = await create_pool(proxy.url, size=1, timeout_s=1, application_name="tests")
        doubts = BalanceDoubts(Database(pool, acquire_timeout_s=1), lasts_s=60)
        assert await doubts.are_none()
        await proxy.cut()

        async def is_doubted() -> bool:
            return not await doubts.are_none()

        await eventually(is_doubted)
        # Nobody sells either: there is nothing to doubt, and nothing is raised here.
        await doubts.raise_ours()
        await proxy.mend()

        await eventually(doubts.are_none)
        pool.terminate()
