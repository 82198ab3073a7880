"""The worker: takes messages from the broker and acts on them, in one process. `python -m workers`.

Dramatiq's threads run here, not its command: that one forks, and one process is simpler to supervise.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware, Retries

from core import garbage
from core.database import Database, create_pool
from core.logging import Log
from core.loop_lag import watch_loop
from core.processes import run_process
from core.settings import Settings
from workers.actor_loop import run_in_loop
from workers.audit import Auditor, declare_audit
from workers.backoff import backoff_s
from workers.broker import create_broker
from workers.instance import InstanceUnknownError, read_instance_id
from workers.metrics import served
from workers.pools import close_pool
from workers.runners import RunnerKeepers, declare_waker, runner_keepers

if TYPE_CHECKING:
    from core.database import Pool

# How long an idle thread sleeps before it looks whether it should end.
IDLE_MS = 500
HEALTH_CHECK_S = 1.0
SHUTDOWN_TIMEOUT_MS = 10_000

log = Log("worker")


def main() -> int:
    """Work until SIGTERM or SIGINT: 0; or until a thread of ours died: 1, and the supervisor starts us again."""
    return run_process("worker", run)


def run(settings: Settings) -> int:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with served(settings):
        return work_until(stopping, settings)


def work_until(stopping: threading.Event, settings: Settings) -> int:
    instance_id = await_instance_id(settings, stopping)
    if instance_id is None:
        return 0
    connections, keepers = WorkerConnections(settings), runner_keepers(settings)
    broker = create_broker(
        instance_id=instance_id,
        redis_url=settings.redis_url,
        amqp_url=settings.amqp_url,
        middleware=[Retries(), AsyncIO(), connections, RunnerKeepers(keepers)],
    )
    declare_audit(broker, connections.auditor, instance_id=instance_id, stopping=stopping)
    for keeper in keepers:
        declare_waker(broker, keeper, instance_id=instance_id)
    garbage.tame()
    return serve(broker, stopping, threads=settings.worker_threads)


class WorkerConnections(Middleware):
    """Opens the actors' pool in the loop where they run, and closes it there. Comes after AsyncIO."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pool: Pool | None = None
        self._auditor: Auditor | None = None
        self._watching: asyncio.Task[None] | None = None

    def auditor(self) -> Auditor:
        assert self._auditor is not None
        return self._auditor

    def before_worker_boot(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        run_in_loop(self._open())

    def after_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        run_in_loop(self._close())

    async def _close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self._pool is not None:
            await close_pool(self._pool)

    async def _open(self) -> None:
        # The loop of the actors and of everything else that goes on in a worker.
        self._watching = asyncio.create_task(watch_loop(), name="loop lag")
        self._pool = await create_pool(
            self.settings.database_url,
            size=self.settings.worker_threads,
            timeout_s=self.settings.db_timeout_s,
            application_name="banca-worker",
            statement_cache_size=self.settings.database_statement_cache_size,
        )
        self._auditor = Auditor(Database(self._pool, acquire_timeout_s=self.settings.db_timeout_s))


def serve(broker: dramatiq.Broker, stopping: threading.Event, *, threads: int) -> int:
    """Run a Dramatiq worker here until stopping is set (0) or one of its threads died (1)."""
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=IDLE_MS)
    worker.start()
    log.info("WORKER_STARTED", broker=type(broker).__name__, threads=threads)
    exit_code = 0
    while not stopping.wait(HEALTH_CHECK_S):
        if dead := [thread.name for thread in (*worker.workers, *worker.consumers.values()) if not thread.is_alive()]:
            log.error("WORKER_THREADS_DIED", threads=dead)
            stopping.set()
            exit_code = 1
    stop(worker)
    log.info("WORKER_STOPPED")
    return exit_code


def stop(worker: dramatiq.Worker) -> None:
    """Finish the messages at hand, give the others back. Never raises: what is left undone comes again."""
    try:
        worker.stop(timeout=SHUTDOWN_TIMEOUT_MS)
    except Exception as error:
        log.error("WORKER_STOP_FAILED", error=error)
    finally:
        # Not a daemon thread: if it was not stopped, it would keep the process from ending.
        if (loop_thread := get_event_loop_thread()) is not None:
            loop_thread.loop.call_soon_threadsafe(loop_thread.loop.stop)
    try:
        worker.broker.close()
    except Exception as error:
        log.error("BROKER_CLOSE_FAILED", error=error)


def await_instance_id(settings: Settings, stopping: threading.Event) -> str | None:
    """The instance id as soon as a migrated database answers; None when stopping came first."""
    failures = 0
    while not stopping.is_set():
        try:
            return asyncio.run(read_instance_id_once(settings))
        except InstanceUnknownError as error:
            failures += 1
            log.warning("DATABASE_AWAITED", reason=str(error), failures=failures)
            stopping.wait(backoff_s(failures))
    return None


async def read_instance_id_once(settings: Settings) -> str:
    pool = await create_pool(
        settings.database_url,
        size=1,
        timeout_s=settings.db_timeout_s,
        application_name="banca-worker",
        statement_cache_size=settings.database_statement_cache_size,
    )
    try:
        return await read_instance_id(Database(pool, acquire_timeout_s=settings.db_timeout_s))
    finally:
        await close_pool(pool)
