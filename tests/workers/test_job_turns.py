"""Of one job of a banca one run gets on at a time, whoever asked for it; other jobs do not wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.domain.jobs import JobName
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import open_desk, set_clock
from workers.job_steps import JobRun, Step, Work

if TYPE_CHECKING:
    from core.database import Connection

NOON = datetime(2030, 1, 15, 18, 0, tzinfo=UTC)
STEPS = 4


async def test_runs_of_one_job_take_turns(arena: Arena, database: TestDatabase) -> None:
    await set_clock(arena)
    at_work: Counter[JobName] = Counter()
    together: list[int] = []

    async def note(_: Connection, run: JobRun) -> Step:
        at_work[run.job.name] += 1
        together.append(at_work[run.job.name])
        await asyncio.sleep(0.01)
        at_work[run.job.name] -= 1
        return Step({}, run.plus(steps=1), is_done=run.counts.get("steps", 0) == STEPS - 1)

    works = {name.name: Work(note) for name in JobName}
    async with open_desk(arena, database, **works) as one, open_desk(arena, database, **works) as two:
        await one.schedule(NOON)
        two.jobs.at = NOON
        for period in ("2030-01-14", "2030-01-15"):
            await one.ask(JobName.RESTRICTIONS_AUTO_DATE, period)
        while not await over(arena):
            await asyncio.gather(one.work(), two.work())
    assert set(together) == {1}
    done = await arena.owner.fetch("SELECT counts->>'steps' AS steps FROM job_runs WHERE state = 'DONE'")
    # Two by hand, and the four that are on and were due.
    assert [row["steps"] for row in done] == [str(STEPS)] * 6


async def over(arena: Arena) -> bool:
    return not await arena.owner.fetchval("SELECT count(*) FROM job_runs WHERE state IN ('REQUESTED', 'RUNNING')")
