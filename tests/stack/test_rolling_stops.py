"""Processes of the API stop and start again under load, and no client notices."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from cli.process import BoundProcess
from cli.stack import ROOT
from cli.supervisor import Child, Supervisor
from core.listening import open_sockets
from core.settings import Settings

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENTS = 4
# Between two requests of a client, so that the processes have the machine to start on.
THINK_S = 0.02
ANSWER_TIMEOUT_S = 60.0
NAMES = ("database_url", "redis_url", "jwt_access_secret", "jwt_refresh_secret", "terminal_master_key")


class Processes:
    """Two API processes that a supervisor keeps, on sockets of its own."""

    def __init__(self, settings: Settings, logs: Path, listeners: Sequence[socket.socket]) -> None:
        values = {name: getattr(settings, name) for name in NAMES}
        environment = {
            name.upper(): value if isinstance(value, str) else value.get_secret_value()
            for name, value in values.items()
        }
        self._logs = [logs / f"api-{number}.log" for number in (1, 2)]
        self.children = [
            Child(
                log.stem,
                partial(
                    BoundProcess,
                    [sys.executable, "-P", "-m", "api"],
                    env={**os.environ, **environment, "PORT": "0", "PYTHONUNBUFFERED": "1"},
                    log=log,
                    directory=ROOT,
                    listeners=listeners,
                ),
            )
            for log in self._logs
        ]
        self.supervisor = Supervisor([self.children], report=lambda _: None)

    def starts(self) -> int:
        """How often a process has said that it listens."""
        return sum(log.read_text().count('"SERVER_LISTEN"') for log in self._logs if log.exists())

    async def until_started(self, times: int) -> None:
        while self.starts() < times:
            self.supervisor.tick()
            await asyncio.sleep(0.02)


@pytest.fixture
async def listener() -> AsyncIterator[socket.socket]:
    [opened] = open_sockets("127.0.0.1", 0, reuse_port=False)
    with opened:
        yield opened


@pytest.fixture
async def processes(settings: Settings, tmp_path: Path, listener: socket.socket) -> AsyncIterator[Processes]:
    made = Processes(settings, tmp_path, [listener])
    yield made
    made.supervisor.stop()


class Load:
    """Clients that ask one thing after the other: on a connection of its own each, or on one for as long as it is kept."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.answers: Counter[str] = Counter()
        self._stopped = False

    async def run(self, *, keeps: bool) -> None:
        while not self._stopped:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self._connect(keeps=keeps)
            except (OSError, EOFError) as error:
                self.answers[f"lost: {error!r}"] += 1

    def stop(self) -> None:
        self._stopped = True

    async def _connect(self, *, keeps: bool) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            is_open = True
            while is_open and not self._stopped:
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                self.answers[head.split(b" ", 2)[1].decode()] += 1
                await asyncio.sleep(THINK_S)
                is_open = keeps and b"connection: close" not in head.lower()
        finally:
            writer.close()


@pytest.mark.timeout(300)
async def test_stopping_one_process_after_the_other_loses_no_request(
    processes: Processes, listener: socket.socket
) -> None:
    """Neither on new connections nor on kept ones; and with both gone for a moment, requests wait for a successor."""
    await processes.until_started(2)
    load, started = Load(listener.getsockname()), 2
    async with asyncio.TaskGroup() as clients:
        for number in range(2 * CLIENTS):
            clients.create_task(load.run(keeps=number % 2 == 0))
        try:
            for stopped in (processes.children[:1], processes.children[1:], processes.children):
                for child in stopped:
                    assert child.process is not None
                    child.process.send(signal.SIGTERM)
                started += len(stopped)
                await processes.until_started(started)
        finally:
            load.stop()
    assert set(load.answers) == {"200"}, load.answers
    assert load.answers["200"] > 100


@pytest.mark.timeout(300)
async def test_connections_that_come_at_once_spread_over_the_processes(
    processes: Processes, listener: socket.socket
) -> None:
    """As terminals do after an outage, which then keep the connections that they got."""
    await processes.until_started(2)
    before = [connections_of(child) for child in processes.children]
    opened = await asyncio.gather(*(asyncio.open_connection(*listener.getsockname()) for _ in range(200)))
    for reader, writer in opened:
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
    after = [connections_of(child) for child in processes.children]
    for _, writer in opened:
        writer.close()
    counts = [late - early for early, late in zip(before, after, strict=True)]
    assert sum(counts) >= 200
    # How evenly is the kernel's to say, and the machine's load; one that gets none would be starved.
    assert min(counts) >= 10, counts


def connections_of(child: Child) -> int:
    assert child.process is not None
    links = (str(each.readlink()) for each in Path(f"/proc/{child.process.pid}/fd").iterdir())
    return sum(link.startswith("socket:") for link in links)
