"""Everything that a banca does, at once and over connections of their own: nobody fails, nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace

import asyncpg
import pytest

from core.database import Database, create_pool
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import open_evaluator
from tests.statements.doings import Doings, doings_of
from tests.statements.office import open_office
from workers.statements import Statements

SEEDS = range(4)
PEOPLE = 6
STEPS = 25


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_at_once_the_statements_are_right_in_the_end(
    arena: Arena, database: TestDatabase, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_office(arena, database) as office:
        doings = await doings_of(office, seed)
        async with asyncio.timeout(30), asyncio.TaskGroup() as people:
            for number in range(PEOPLE):
                people.create_task(live(doings, database, random.Random(f"{seed} {number}")))
        await office.evaluator.finish()
        await office.compute_on(doings.today)
        assert await office.findings() == []
        assert doings.done["Sold"] and doings.done["REGISTERED"] and doings.done["EVALUATION_REQUESTED"]
        # Workers only tell of what failed, and try again.
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def live(all_doings: Doings, database: TestDatabase, chance: random.Random) -> None:
    """The same office, by connections that nobody else uses."""
    owner = await asyncpg.connect(database.owner_url)
    pool = await create_pool(database.worker_url, size=1, timeout_s=20, application_name="tests")
    try:
        async with open_evaluator(database.worker_url) as evaluator:
            ours = all_doings.office
            statements = Statements(Database(pool, acquire_timeout_s=10))
            arena = replace(ours.arena, owner=owner)
            office = replace(ours, arena=arena, evaluator=evaluator, statements=statements)
            await replace(all_doings, chance=chance, office=office).do(STEPS)
    finally:
        await pool.close()
        await owner.close()
