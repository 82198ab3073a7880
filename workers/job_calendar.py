"""What is due by the clock: the leading scheduler writes it down, once per period, and workers do it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.domain.jobs import JOBS, Due, Job, Schedule, due, settings_of
from core.queries import sql
from workers.job_log import log, next_run, tell
from workers.metrics import JOB_RUNS, SCHEDULER_FAILURES

# How late a job may be noticed.
LOOK_EVERY_S = 5.0


class DueJob(NamedTuple):
    banca_id: UUID
    job: Job
    due: Due
    is_enabled: bool

    @property
    def key(self) -> tuple[UUID, str, str]:
        return self.banca_id, self.job.name, self.due.period


class JobCalendar:
    def __init__(self, database: Database, *, at: datetime | None = None) -> None:
        """at: what time it is, where a test says so; the database's clock otherwise."""
        self.database = database
        self.at = at
        self._next_look_s = 0.0
        # What is due and written down already, this hour: what failed may be asked for again.
        self._known: set[tuple[UUID, str, str]] = set()
        self._hour: datetime | None = None
        self._is_announced = False

    async def look(self) -> None:
        """While leading, as often as one likes. Raises DatabaseUnavailableError; what else fails is told, no more."""
        if time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + LOOK_EVERY_S
        try:
            await self.run_once()
        except DatabaseUnavailableError:
            raise
        except Exception as error:
            SCHEDULER_FAILURES.inc()
            log.error("JOBS_NOT_SCHEDULED", error=error)

    def forget(self) -> None:
        """It leads no more."""
        self._known.clear()
        self._is_announced = False

    async def run_once(self) -> int:
        """Write down what is due now and was not; how much that was. Raises DatabaseUnavailableError."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("jobs/calendar"), self.at)
            if not rows:
                return 0
            self._begin_hour(rows[0]["at"])
            found = list(due_jobs(rows))
            new = [one for one in found if one.key not in self._known]
            made = await self._request(connection, new, at=rows[0]["at"]) if new else []
        self._known = {one.key for one in found}
        if not self._is_announced:
            announce(rows)
            self._is_announced = True
        return len(made)

    def _begin_hour(self, at: datetime) -> None:
        hour = at.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._known.clear()
            self._hour = hour

    async def _request(
        self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], new: list[DueJob], *, at: datetime
    ) -> list[asyncpg.Record]:
        made = await connection.fetch(
            sql("jobs/request_due"),
            [one.banca_id for one in new],
            [one.job.name for one in new],
            [one.due.period for one in new],
            [one.due.due_at for one in new],
            [one.is_enabled for one in new],
            at,
        )
        for row in made:
            if row["state"] == "SKIPPED":
                JOB_RUNS.labels(row["job"], "disabled").inc()
        return made


def due_jobs(rows: Iterable[asyncpg.Record]) -> Iterator[DueJob]:
    for row in rows:
        for job in JOBS.values():
            settings = settings_of(job, stored(row, job))
            for one in due(job, settings, since=row["since"], at=row["at"]):
                yield DueJob(row["banca_id"], job, one, settings.is_enabled)


def stored(row: asyncpg.Record, job: Job) -> dict[str, object] | None:
    """What the banca sets of the job; an instant in JSON is a text."""
    found: dict[str, object] | None = row["settings"].get(job.name)
    if found is None:
        return None
    return {**found, "since": instant(found["since"])}


def instant(text: object) -> datetime | None:
    return None if text in (None, "-infinity") else datetime.fromisoformat(str(text))


def announce(rows: Iterable[asyncpg.Record]) -> None:
    """When each job runs next; one line for all bancas of the same hour."""
    bancas: dict[tuple[Job, Schedule], int] = {}
    now = None
    for row in rows:
        now = row["at"]
        for job in JOBS.values():
            settings = settings_of(job, stored(row, job))
            if settings.is_enabled:
                key = job, settings.schedule
                bancas[key] = bancas.get(key, 0) + 1
    for (job, schedule), count in bancas.items():
        assert now is not None, "a banca has its time"
        tell(log.info, job, "SCHEDULED", {**next_run(schedule, now), "bancas": count})
