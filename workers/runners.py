"""Runners: what goes on in a worker besides its messages, each with a connection of its own. Draws are evaluated,
statements computed, jobs run; a message only wakes whoever does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import dramatiq
from dramatiq.middleware import Middleware

from core.cache import BalanceCache, Cache
from core.database import Database, create_pool
from core.installation import Installation
from core.logging import Log
from core.settings import Settings
from workers.actor_loop import run_in_loop
from workers.consumers import DRAWS, JOBS, STATEMENTS, alone, queue_name
from workers.evaluations import Evaluations
from workers.job_table import works
from workers.jobs import Jobs
from workers.pools import close_pool
from workers.statements import Statements

# What takes longer is left to the next worker; its transaction keeps nothing.
CLOSE_S = 5.0

log = Log("worker")


class Runner(Protocol):
    def wake(self) -> None:
        """There is something to do."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; what runs then is finished."""


Open = Callable[[Database], AbstractAsyncContextManager[Runner]]


class RunnerKeeper:
    """Keeps one runner from start to end, in the loop of the actors.

    consumer: whose events wake it.
    """

    def __init__(self, settings: Settings, consumer: str, open_runner: Open) -> None:
        self.settings = settings
        self.consumer = consumer
        self._open = open_runner
        self._runner: Runner | None = None
        self._end: Callable[[], Coroutine[None, None, None]] | None = None

    def wake(self) -> None:
        assert self._runner is not None
        self._runner.wake()

    async def end(self) -> None:
        """Let it finish what it is at, and close what it holds."""
        if self._end is not None:
            await self._end()

    async def start(self) -> None:
        settings = self.settings
        pool = await create_pool(
            settings.database_url,
            size=1,
            timeout_s=settings.db_timeout_s,
            application_name=f"banca-worker {self.consumer}",
            statement_cache_size=settings.database_statement_cache_size,
        )
        opened = AsyncExitStack()
        opened.push_async_callback(close_pool, pool)
        database = Database(pool, acquire_timeout_s=settings.db_timeout_s)
        self._runner = await opened.enter_async_context(self._open(database))
        stop = asyncio.Event()
        running = asyncio.create_task(self._runner.run(stop), name=self.consumer)

        async def end() -> None:
            stop.set()
            _, late = await asyncio.wait([running], timeout=CLOSE_S)
            if late:
                log.warning("CLOSED_LATE", part=self.consumer)
                running.cancel()
            await opened.aclose()

        self._end = end


class RunnerKeepers(Middleware):
    """Starts all runners as a worker boots, and ends them after it has shut down. Comes after AsyncIO.

    One for all: Dramatiq takes a second middleware of a class for a mistake, and warns.
    """

    def __init__(self, keepers: Sequence[RunnerKeeper]) -> None:
        self._keepers = keepers

    def before_worker_boot(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        for keeper in self._keepers:
            run_in_loop(keeper.start())

    def after_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        for keeper in self._keepers:
            run_in_loop(keeper.end())


def runner_keepers(settings: Settings) -> list[RunnerKeeper]:
    """Of everything that a worker does so."""

    @asynccontextmanager
    async def evaluations(database: Database) -> AsyncIterator[Runner]:
        balances = balance_cache(settings, database)
        balances.start()
        yield Evaluations(database, publish_balance=balances.publish, flush_balances=balances.flush)
        await balances.close()

    @asynccontextmanager
    async def statements(database: Database) -> AsyncIterator[Runner]:
        yield Statements(database)

    @asynccontextmanager
    async def jobs(database: Database) -> AsyncIterator[Runner]:
        yield Jobs(database, works(settings), warm_up_pause_s=settings.job_warm_up_pause_s)

    opened = {DRAWS: evaluations, STATEMENTS: statements, JOBS: jobs}
    return [RunnerKeeper(settings, consumer, open_runner) for consumer, open_runner in opened.items()]


def declare_waker(
    broker: dramatiq.Broker, keeper: RunnerKeeper, *, instance_id: str
) -> dramatiq.Actor[[list[object]], None]:
    """The actor that hears of what there is to do."""

    async def wake(_: list[object]) -> None:
        keeper.wake()

    queue = queue_name(instance_id, keeper.consumer)
    broker.declare_queue(alone(queue))
    return dramatiq.actor(broker=broker, actor_name=keeper.consumer, queue_name=queue)(wake)


def balance_cache(settings: Settings, database: Database) -> BalanceCache:
    """Where the sellers' new balances are published, as the till does."""
    client = None
    if settings.cache_enabled and settings.redis_url is not None:
        client = Cache(settings.redis_url, timeout_ms=settings.cache_timeout_ms)
    return BalanceCache(client, read_instance=Installation(database).history, ttl_s=settings.cache_balance_ttl_s)
