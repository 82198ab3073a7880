from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import BaseModel

from api.app import create_app
from api.context import PublicContext
from api.operations import PUBLIC, Operation
from cli.ports import free_port
from core.listening import inherited_sockets
from core.settings import Settings, SettingsError
from tests.arena import Arena
from tests.running_api import RunningApi


class Slow:
    """An operation that a test holds up."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()

    async def handle(self, _: PublicContext) -> web.Response:
        """Wait."""
        self.started.set()
        await self.may_end.wait()
        return web.Response(text="done")

    def operation(self) -> Operation:
        responses: dict[int, type[BaseModel] | None] = {200: None}
        return Operation(
            method="GET", path="/slow", handler=self.handle, permission=PUBLIC, tags=(), responses=responses
        )


async def test_stopping_finishes_what_was_begun_and_takes_nothing_new(settings: Settings) -> None:
    slow = Slow()
    api = RunningApi(settings, operations=(slow.operation(),))
    await api.__aenter__()
    assert api._runner is not None
    request = asyncio.create_task(api.get("/slow"))
    await slow.started.wait()
    port = int(api.url.rpartition(":")[2])
    stopping = asyncio.create_task(api._runner.cleanup())
    with pytest.raises(OSError):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await asyncio.sleep(0)
    assert not stopping.done()
    slow.may_end.set()
    assert (await request).body == b"done"
    await stopping
    await api.__aexit__(None, None, None)


async def test_stopping_answers_what_waits_to_be_accepted_and_what_is_on_its_way(settings: Settings) -> None:
    """New connections and kept ones, whose requests come before or after the stop; each is told that it was the last."""
    api = RunningApi(settings)
    await api.__aenter__()
    assert api._runner is not None
    host, _, port = api.url.removeprefix("http://").partition(":")
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    kept_reader, kept_writer = await asyncio.open_connection(host, int(port))
    kept_writer.write(request)
    await kept_reader.readuntil(b"}")
    # The event loop does not run meanwhile, so that they wait in the kernel: more than are accepted in a row.
    waiting = [socket.create_connection((host, int(port))) for _ in range(40)]
    for early in waiting[:20]:
        early.sendall(request)
    stopping = asyncio.create_task(api._runner.cleanup())
    with pytest.raises(ConnectionError):
        while True:
            (await asyncio.open_connection(host, int(port)))[1].close()
            await asyncio.sleep(0)
    for late in waiting[20:]:
        late.sendall(request)
    kept_writer.write(request)
    pairs = [await asyncio.open_connection(sock=connection) for connection in waiting]
    answers = [await reader.read() for reader in (*(reader for reader, _ in pairs), kept_reader)]
    for _, writer in (*pairs, (kept_reader, kept_writer)):
        writer.close()
    await stopping
    await api.__aexit__(None, None, None)
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert all(b"\r\nConnection: close\r\n" in answer for answer in answers[20:])


async def test_a_process_takes_no_sockets_that_are_meant_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert inherited_sockets() == []
    assert "LISTEN_FDS" not in os.environ


@pytest.fixture
async def process(settings: Settings, arena: Arena) -> AsyncIterator[asyncio.subprocess.Process]:
    """python -m api, listening."""
    names = ("database_url", "redis_url", "jwt_access_secret", "jwt_refresh_secret", "terminal_master_key")
    values = {name: getattr(settings, name) for name in names}
    environment = {
        name.upper(): value if isinstance(value, str) else value.get_secret_value() for name, value in values.items()
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api"),
        env={**os.environ, **environment, "PORT": str(free_port())},
        stdout=asyncio.subprocess.PIPE,
    )
    yield started
    if started.returncode is None:
        started.kill()
    await started.wait()


async def test_a_process_logs_json_and_ends_well_on_sigterm(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        listening = json.loads(await process.stdout.readline())
        assert (listening["layer"], listening["action"]) == ("api", "SERVER_LISTEN")
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in (await process.stdout.read()).splitlines()]
    assert [line["action"] for line in lines] == ["SERVER_STOP"]
    assert await process.wait() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"jwt_access_secret": ""},
        {"jwt_refresh_secret": "short"},
        {"terminal_master_key": ""},
        {"jwt_access_secret": "r" * 32},
    ],
    ids=str,
)
def test_a_missing_or_weak_secret_stops_the_start(settings: Settings, change: dict[str, str]) -> None:
    values = {**settings.model_dump(exclude_unset=True), **change}
    with pytest.raises(SettingsError):
        create_app(Settings(**values))
