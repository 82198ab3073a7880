"""Draws that must close by themselves while the scheduler dies; and whether they did."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from core.database import LOST
from core.queries import sql
from loadtests.faults.scene import Scene
from loadtests.faults.stack import FaultStack

DRAWS = 5
# From the first to the last, while the scheduler lives, dies and is started again.
CLOSE_WITHIN_S = 1.5
# From the healing: a scheduler that could not reach the database looks again after 5 s at the latest.
CLOSED_WITHIN_S = 15.0
LOOK_EVERY_S = 0.1


@asynccontextmanager
async def scheduler_killed(scene: Scene) -> AsyncIterator[None]:
    """Somewhere between the first closing and the last, often amid one."""
    closes_in_s = sorted(scene.chance.uniform(0.0, CLOSE_WITHIN_S) for _ in range(DRAWS))
    await add_draws(scene, closes_in_s)
    await asyncio.sleep(scene.chance.uniform(0.0, closes_in_s[-1]))
    await scene.end("scheduler", signal.SIGKILL)
    yield


async def add_draws(scene: Scene, closes_in_s: list[float]) -> None:
    beside = UUID(scene.driver.shop.draw_ids[0])
    try:
        async with scene.stack.connection() as connection:
            for seconds in closes_in_s:
                draw_id = uuid4()
                await connection.execute(sql("faults/add_closing_draw"), beside, draw_id, seconds)
                scene.stack.closing_draws.add(draw_id)
    except LOST:
        scene.missed.append("draws")


async def unclosed_draws(stack: FaultStack) -> list[str]:
    """Until each of them is closed, or it took too long: what became of the others."""
    deadline_s = time.monotonic() + CLOSED_WITHIN_S
    while left := await _unclosed(stack):
        if time.monotonic() > deadline_s:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return [f"draw {row['id']} is {row['status']} after {row['moves']} moves" for row in left]


async def _unclosed(stack: FaultStack) -> list[asyncpg.Record]:
    async with stack.connection() as connection:
        return await connection.fetch(sql("faults/unclosed_draws"), list(stack.closing_draws))
