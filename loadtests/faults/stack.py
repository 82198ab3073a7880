"""The stack that is broken: two `./banca up`, one of the servers and one of our programs, and a proxy on every line between.

POS ──► proxy ──► api, scheduler, relay, worker ──► proxy ──► PostgreSQL, Valkey, RabbitMQ
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Self
from uuid import UUID

import asyncpg

from cli.postgres import EmbeddedPostgres
from cli.process import BoundProcess, Steps
from cli.process_log import log_since
from cli.stack import ROOT, Stack, StackNotRunning
from cli.trouble import Trouble
from core.queries import sql
from loadtests.bench.processes import children_of, command_of
from loadtests.bench.stack import PROGRAMS
from loadtests.faults.proxy import Proxy
from loadtests.faults.queues import Queues

API_PROCESSES = 2
# How many of each there are when nothing is broken.
COUNTS: Mapping[str, int] = {
    "postgres": 1,
    "valkey": 1,
    "api": API_PROCESSES,
    "scheduler": 1,
    "relay": 1,
    "worker": 1,
}
# Servers of its own, whatever the environment says; only a RabbitMQ may be somebody else's.
REPLACED = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "AMQP_URL", "PROMETHEUS_MULTIPROC_DIR")
# A round has no time for half a minute: what a broker lost comes again soon, and a silent database is given up soon.
SETTINGS = {"OUTBOX_RESEND_AFTER_S": "2", "DB_TIMEOUT_S": "3"}
STOP_STEPS: Steps = ((signal.SIGTERM, 40.0),)
START_TIMEOUT_S = 120.0
POLL_S = 0.05
CONNECT_TIMEOUT_S = 5.0


class Up:
    """One `./banca up`, a child that cannot outlive this process."""

    def __init__(self, data: Path, *options: str, environment: Mapping[str, str]) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        self.process = BoundProcess(
            [sys.executable, "-P", "-m", "cli", "up", "--data", str(data), *options],
            env=environment,
            log=self.log,
            directory=ROOT,
            death_signals=(signal.SIGTERM, signal.SIGKILL),
        )

    async def ready(self) -> Stack:
        """When it says where everything is. Raises Trouble."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while self.process.poll() is None and time.monotonic() < deadline_s:
            with suppress(StackNotRunning):
                return Stack.load(self.data)
            await asyncio.sleep(POLL_S)
        raise Trouble(f"the stack did not start: {log_since(self.log, 0).strip()[-500:]}")

    def pids(self, program: str) -> list[int]:
        """Its own processes of that program, not what they started in turn."""
        is_program = PROGRAMS[program]
        return sorted(
            pid for pid in children_of(self.process.pid) if (command := command_of(pid)) and is_program(command)
        )

    async def stop(self) -> None:
        # In a thread: it stops through our proxies.
        await asyncio.to_thread(self.process.stop, STOP_STEPS)


class FaultStack:
    """async with FaultStack(folder, amqp_url=…) as stack: …; afterwards remove(), unless the folder is to be kept.

    folder: fresh, made here. amqp_url: None: the broker is the stack's own Valkey. garbage: messages that nobody can
    read, to be found among the dead letters. closing_draws: those that must have closed by themselves.
    """

    def __init__(self, folder: Path, *, amqp_url: str | None) -> None:
        self.folder = folder.resolve()
        self.amqp_url = amqp_url
        self.garbage: set[bytes] = set()
        self.closing_draws: set[UUID] = set()
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.folder.mkdir(mode=0o711, parents=True)
        async with AsyncExitStack() as closing:
            await self._start(closing)
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def _start(self, closing: AsyncExitStack) -> None:
        own = {name: value for name, value in os.environ.items() if name not in REPLACED}
        self.servers = Up(self.folder / "servers", "--only", ",", environment=own)
        closing.push_async_callback(self.servers.stop)
        found = await self.servers.ready()
        self.owner_url, self.redis_url = found.owner_url, found.redis_url
        self.queues = Queues(await self._instance_id(), redis_url=self.redis_url, amqp_url=self.amqp_url)
        # Last of all: who uses them declares them anew.
        closing.push_async_callback(self.queues.close)
        self.database = await closing.enter_async_context(Proxy(self.owner_url))
        self.cache = await closing.enter_async_context(Proxy(self.redis_url))
        urls = {"DATABASE_URL": self.database.url, "REDIS_URL": self.cache.url}
        self.broker = self.cache
        if self.amqp_url is not None:
            self.broker = await closing.enter_async_context(Proxy(self.amqp_url))
            urls["AMQP_URL"] = self.broker.url
        self.programs = Up(
            self.folder / "programs",
            *("--port", "0", "--api", str(API_PROCESSES)),
            # The database has terminals of its own stack's master key.
            environment=own | SETTINGS | urls | found.secrets.environment,
        )
        closing.push_async_callback(self.programs.stop)
        self.stack = await self.programs.ready()
        self.http = await closing.enter_async_context(Proxy(self.stack.api_url))
        self.lines = {"database": self.database, "cache": self.cache, "broker": self.broker, "http": self.http}

    async def mend(self) -> None:
        """Every line; what was killed or frozen is others' business."""
        for line in self.lines.values():
            await line.mend()

    def pids(self, program: str) -> list[int]:
        up = self.servers if program in {"postgres", "valkey"} else self.programs
        return up.pids(program)

    def missing(self) -> list[str]:
        """Programs of which fewer live than there should be."""
        return [program for program, count in COUNTS.items() if len(self.pids(program)) < count]

    def signal(self, pid: int, program: str, number: signal.Signals) -> None:
        """To one of the stack's own processes; none when it is gone."""
        if pid in self.pids(program):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def restart_worker(self) -> None:
        for pid in self.pids("worker"):
            self.signal(pid, "worker", signal.SIGTERM)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """As the owner, past the proxy."""
        connection = await asyncpg.connect(self.owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S)
        try:
            yield connection
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_S)

    async def _instance_id(self) -> str:
        async with self.connection() as connection:
            instance_id: str = await connection.fetchval(sql("outbox/instance"))
        return instance_id

    def remove(self) -> None:
        """Delete everything that it left; it has stopped."""
        EmbeddedPostgres(self.folder / "servers").remove()
        shutil.rmtree(self.folder)
