from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import BaseModel

from api.app import SettingsError, create_app
from api.context import PublicContext
from api.operations import PUBLIC, Operation
from cli.ports import free_port
from core.settings import Settings
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
    values = {**settings.model_dump(), **change}
    with pytest.raises(SettingsError):
        create_app(Settings(**values))
