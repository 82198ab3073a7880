"""Breakages of processes: killed, stopped, frozen, emptied. What has ended its `up` starts again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis

from core.database import LOST
from core.queries import sql
from loadtests.faults.scene import Begin, Scene

TERMINATE_EVERY_S = 0.1
REDIS_TIMEOUT_S = 1.0


def ended(program: str, number: signal.Signals) -> Begin:
    @asynccontextmanager
    async def begin(scene: Scene) -> AsyncIterator[None]:
        await scene.end(program, number)
        yield

    return begin


def killed_at_work(program: str, application: str, *, in_transaction: bool) -> Begin:
    """application: how its connections to PostgreSQL are called. Three of four times in the middle of something."""

    @asynccontextmanager
    async def begin(scene: Scene) -> AsyncIterator[None]:
        if scene.chance.random() < 0.75:
            await scene.until_at_work(application, in_transaction=in_transaction)
        await scene.end(program, signal.SIGKILL)
        yield

    return begin


def frozen(program: str) -> Begin:
    @asynccontextmanager
    async def begin(scene: Scene) -> AsyncIterator[None]:
        pid = await scene.victim(program)
        if pid is not None:
            scene.stack.signal(pid, program, signal.SIGSTOP)
        try:
            yield
        finally:
            if pid is not None:
                scene.stack.signal(pid, program, signal.SIGCONT)

    return begin


@asynccontextmanager
async def backends_terminated(scene: Scene) -> AsyncIterator[None]:
    task = asyncio.create_task(terminate_on(scene))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def terminate_on(scene: Scene) -> None:
    while True:
        with suppress(*LOST):
            async with scene.stack.connection() as connection:
                await connection.execute(sql("faults/terminate_backends"))
        await asyncio.sleep(TERMINATE_EVERY_S)


@asynccontextmanager
async def valkey_flushed(scene: Scene) -> AsyncIterator[None]:
    if not await asyncio.to_thread(flush, scene.stack.redis_url):
        scene.missed.append("valkey")
    yield


def flush(redis_url: str) -> bool:
    """Whether it was there to be flushed."""
    client = redis.Redis.from_url(redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)
    try:
        return bool(client.flushall())
    except redis.RedisError:
        return False
    finally:
        client.close()
