"""The scheduler: draws open and close by themselves, at their time or as soon after it as it can; what jobs are due is
written down for the workers. `python -m workers.scheduler`.

What is due is a row, not a message: whoever comes later finds it undone and does it, and whoever comes second finds it
done. So any number may run, and die at any moment; one of them leads, so that they do not do each other's work.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core import garbage
from core.database import Database, create_pool
from core.domain.sorteo_closing import CLOSING_AHEAD, closing_instant, over_at
from core.domain.sorteo_states import TRANSITIONS, SorteoAction, SorteoStatus
from core.logging import Log
from core.loop_lag import watched_loop
from core.processes import run_process
from core.queries import sql
from core.rulebooks import RulebookStore
from core.settings import Settings
from workers.backoff import backoff_s, wait
from workers.instance import await_instance_id
from workers.job_calendar import JobCalendar
from workers.leadership import Leadership
from workers.metrics import SCHEDULER_FAILURES, SCHEDULER_LATE_SECONDS, SCHEDULER_MOVES, served
from workers.pools import close_pool

# How late a draw may be noticed.
POLL_S = 0.2
# While a draw fails: the others must not be much later, and the log not full of it.
TROUBLED_POLL_S = 1.0
# More than any half an hour has; the nearest come first.
UPCOMING_MAX = 10_000
# A draw that waits for its lock must not keep the others waiting.
DRAWS_AT_ONCE = 4
# One connection leads.
POOL_SIZE = DRAWS_AT_ONCE + 1
LAYER = "scheduler"

# A closing instant follows from these alone.
ClosingKey = tuple[UUID, int, datetime]

log = Log("scheduler")


@dataclass(frozen=True, slots=True)
class Due:
    """What a draw does, since when, and what that was concluded from. version: None when the rules do not matter."""

    banca_id: UUID
    sorteo_id: UUID
    action: SorteoAction
    due_at: datetime
    scheduled_at: datetime
    version: int | None


class Scheduler:
    def __init__(
        self,
        database: Database,
        rulebooks: RulebookStore,
        *,
        jobs: JobCalendar | None = None,
        at: datetime | None = None,
    ) -> None:
        """at: what time it is, where a test says so; the database's clock otherwise."""
        self.database = database
        self.rulebooks = rulebooks
        self.jobs = jobs
        self.at = at
        self.leadership = Leadership(database)
        self._closings: dict[ClosingKey, datetime] = {}
        # Draws that failed in this cycle.
        self._failures = 0
        self._at_once = asyncio.Semaphore(DRAWS_AT_ONCE)

    async def run_once(self) -> int | None:
        """Do what is due now; how many draws moved. None: another scheduler leads.

        Raises DatabaseUnavailableError: what is not done is due all the same. What fails in one draw is logged and
        stays with it, also when its lock or its banca's rules take longer than a call may.
        """
        if not await self.leadership.held():
            return None
        self._failures = 0
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("scheduler/upcoming"), CLOSING_AHEAD * 2, UPCOMING_MAX, self.at)
        due = await self._due(rows)
        moved = await asyncio.gather(*(self._move(one) for one in due))
        if self._failures:
            await self._require_database()
        return sum(moved)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a cycle that runs is finished."""
        failures = 0
        was_leading: bool | None = None
        while not stop.is_set():
            try:
                moved = await self.run_once()
                await self._look_at_jobs(leads=moved is not None)
            except Exception as error:
                failures += 1
                SCHEDULER_FAILURES.inc()
                pause_s = backoff_s(failures)
                log.warning("SCHEDULER_WAITS", reason=f"{type(error).__name__}: {error}", failures=failures)
                await wait(stop, pause_s)
                continue
            failures = 0
            if (leads := moved is not None) is not was_leading:
                log.info("SCHEDULER_LEADS" if leads else "SCHEDULER_FOLLOWS")
                was_leading = leads
            await wait(stop, TROUBLED_POLL_S if self._failures else POLL_S)

    async def _look_at_jobs(self, *, leads: bool) -> None:
        if self.jobs is None:
            return
        if leads:
            await self.jobs.look()
        else:
            self.jobs.forget()

    async def _due(self, rows: Iterable[asyncpg.Record]) -> list[Due]:
        """What is due of what is near. Rows are the nearest first."""
        due: list[Due] = []
        closings: dict[ClosingKey, datetime] = {}
        unread: set[UUID] = set()
        for row in rows:
            try:
                found = await self._judge(row, closings, unread)
            except Exception as error:
                self._failed("SORTEO_NOT_JUDGED", row["id"], error)
                unread.add(row["banca_id"])
                await self._require_database()
                continue
            due += [found] if found is not None else []
        self._closings = closings
        return due

    async def _judge(self, row: asyncpg.Record, closings: dict[ClosingKey, datetime], unread: set[UUID]) -> Due | None:
        """unread: bancas whose rules could not be read a moment ago; their draws wait for the next cycle."""
        banca_id, sorteo_id, scheduled_at, at = row["banca_id"], row["id"], row["scheduled_at"], row["at"]
        if row["status"] == SorteoStatus.SCHEDULED:
            return Due(banca_id, sorteo_id, SorteoAction.OPEN, row["opens_at"], scheduled_at, None)
        if at >= over_at(scheduled_at):
            # Whatever the rules are, and even if they cannot be read; only their closing instant may be earlier.
            return Due(banca_id, sorteo_id, SorteoAction.CLOSE, over_at(scheduled_at), scheduled_at, None)
        if banca_id in unread:
            return None
        version: int = row["rulebook_version"]
        key = (banca_id, version, scheduled_at)
        closes_at = closings[key] = self._closings.get(key) or closings.get(key) or await self._closing(key)
        if at < closes_at:
            return None
        return Due(banca_id, sorteo_id, SorteoAction.CLOSE, closes_at, scheduled_at, version)

    async def _closing(self, key: ClosingKey) -> datetime:
        banca_id, version, scheduled_at = key
        rulebook = await self.rulebooks.rulebook(banca_id)
        if rulebook.version < version:
            rulebook = await self.rulebooks.reload(banca_id, older_than=rulebook.version)
        return closing_instant(rulebook, scheduled_at)

    async def _move(self, due: Due) -> bool:
        """Whether the draw moved; not, when somebody was faster or its time or rules have just changed."""
        async with self._at_once:
            try:
                outcome, at = await self._act(due)
            except Exception as error:
                self._failed("SORTEO_NOT_MOVED", due.sorteo_id, error)
                return False
        if outcome != "DONE":
            log.info("SORTEO_LEFT", sorteo_id=str(due.sorteo_id), move=due.action, outcome=outcome)
            return False
        late_s = max(0.0, (at - due.due_at).total_seconds())
        SCHEDULER_MOVES.labels(due.action).inc()
        SCHEDULER_LATE_SECONDS.observe(late_s)
        log.info(
            "SORTEO_MOVED",
            banca_id=str(due.banca_id),
            sorteo_id=str(due.sorteo_id),
            move=due.action,
            late_s=round(late_s, 3),
        )
        return True

    async def _act(self, due: Due) -> tuple[str, datetime]:
        states = TRANSITIONS[due.action]
        async with self.database.connection() as connection:
            row = await connection.fetchrow(
                sql("sorteos/act"),
                due.banca_id,
                due.sorteo_id,
                due.action,
                *zip(*states.keys(), strict=True),
                *zip(*states.values(), strict=True),
                None,
                LAYER,
                None,
                None,
                due.scheduled_at,
                due.version,
                due.due_at,
                self.at,
            )
        assert row is not None, "act_on_sorteo gives one row"
        return row["outcome"], row["at"]

    async def _require_database(self) -> None:
        """After a failure, which may be one draw's lock or one banca's rules alone.

        Raises DatabaseUnavailableError when there is no connection any more to whoever says that we lead.
        """
        await self.leadership.held()

    def _failed(self, action: str, sorteo_id: UUID, error: Exception) -> None:
        self._failures += 1
        SCHEDULER_FAILURES.inc()
        log.error(action, sorteo_id=str(sorteo_id), error=error)


def main() -> int:
    return run_process("scheduler", run)


def run(settings: Settings) -> int:
    asyncio.run(schedule(settings))
    return 0


async def schedule(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with served(settings):
        async with watched_loop():
            await schedule_until(stop, settings)
    log.info("SCHEDULER_STOPPED")


async def schedule_until(stop: asyncio.Event, settings: Settings) -> None:
    pool = await create_pool(
        settings.database_url,
        size=POOL_SIZE,
        timeout_s=settings.db_timeout_s,
        application_name="banca-scheduler",
        statement_cache_size=settings.database_statement_cache_size,
    )
    async with AsyncExitStack() as closing:
        closing.push_async_callback(close_pool, pool)
        database = Database(pool, acquire_timeout_s=settings.db_timeout_s)
        if await await_instance_id(database, stop, log) is None:
            return
        rulebooks = RulebookStore(database)
        closing.push_async_callback(rulebooks.close)
        scheduler = Scheduler(database, rulebooks, jobs=JobCalendar(database))
        closing.push_async_callback(scheduler.leadership.close)
        log.info("SCHEDULER_STARTED")
        garbage.tame()
        await scheduler.run(stop)


if __name__ == "__main__":
    sys.exit(main())
