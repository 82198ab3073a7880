"""What the tests of jobs share: a scheduler's calendar and a worker's jobs, which are told the time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from core.database import Database, create_pool
from core.domain.jobs import JobName
from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from workers.job_calendar import JobCalendar
from workers.job_steps import Work
from workers.job_table import works
from workers.jobs import Jobs

# So that all its jobs of before were done.
BORN = datetime(2030, 1, 10, 12, 0, tzinfo=UTC)


@dataclass
class Desk:
    """One scheduler and one worker, each with its own connections."""

    arena: Arena
    calendar: JobCalendar
    jobs: Jobs

    async def schedule(self, now: datetime) -> int:
        """The scheduler looks at its calendar; how much was due."""
        self.calendar.at = self.jobs.at = now
        return await self.calendar.run_once()

    async def work(self) -> int:
        """Until nothing is to do; how many steps it took."""
        steps = 0
        while made := await self.jobs.run_once():
            steps += made
        return steps

    async def pass_time(self, now: datetime) -> None:
        await self.schedule(now)
        await self.work()

    async def enable(self, job: JobName, **settings: object) -> None:
        members = {"is_enabled": True, **settings}
        names = ", ".join(members)
        places = ", ".join(f"${n}" for n in range(3, 3 + len(members)))
        await self.arena.owner.execute(
            f"INSERT INTO job_settings (banca_id, job, since, updated_at, {names})"
            f" VALUES ($1, $2, '-infinity', now(), {places})",
            self.arena.banca_id, job.value, *members.values(),
        )  # fmt: skip

    async def ask(self, job: JobName, period: str = "2030-01-15") -> None:
        """As somebody does by hand."""
        connection = await asyncpg.connect(self.arena.settings.database_url)
        try:
            await connection.fetchval(
                "SELECT request_job($1, $2, $3, NULL, $4, 'api', 'by hand', 'request')",
                self.arena.banca_id, job.value, period, self.arena.seller.id,
            )  # fmt: skip
        finally:
            await connection.close()
        await self.arena.owner.execute(
            "UPDATE job_runs SET next_attempt_at = $1 WHERE trigger = 'MANUAL'", self.jobs.at or BORN
        )

    async def runs(self, job: JobName) -> list[dict[str, Any]]:
        rows = await self.arena.owner.fetch(
            "SELECT period, trigger::text, state::text, attempts, skips, counts, error_type, error_code, reason, day"
            " FROM job_runs WHERE banca_id = $1 AND job = $2 ORDER BY due_at, requested_at",
            self.arena.banca_id, job.value,
        )  # fmt: skip
        return [{**row, "counts": orjson.loads(row["counts"])} for row in rows]

    async def only_run(self, job: JobName) -> dict[str, Any]:
        [run] = await self.runs(job)
        return run


@asynccontextmanager
async def open_desk(arena: Arena, database: TestDatabase, **replaced: Work) -> AsyncIterator[Desk]:
    """replaced: the work of jobs, by the names of JobName's members."""
    settings = Settings(database_url=database.worker_url)
    table = {**works(settings), **{JobName[name]: work for name, work in replaced.items()}}
    async with AsyncExitStack() as closing:
        pools = []
        for name in ("scheduler", "worker jobs"):
            pools.append(await create_pool(database.worker_url, size=1, timeout_s=10, application_name=f"banca-{name}"))
            closing.push_async_callback(pools[-1].close)
        scheduler, worker = (Database(pool, acquire_timeout_s=5) for pool in pools)
        jobs = Jobs(worker, table, warm_up_pause_s=0.01, first_pause=timedelta(minutes=1))
        yield Desk(arena, JobCalendar(scheduler), jobs)


async def set_clock(arena: Arena, *, born: datetime = BORN) -> None:
    """Time is told from here on, and the banca is as old as that."""
    await arena.owner.execute("UPDATE instance SET test_clock = true, jobs_since = $1", born)
    await arena.owner.execute("UPDATE bancas SET created_at = $1", born)
