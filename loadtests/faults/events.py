"""Breakages of what travels: events that come again, in another order; messages that are none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from core.database import LOST
from core.events import Event
from core.queries import sql
from loadtests.faults.scene import Scene
from workers.consumers import AUDIT
from workers.packing import packed
from workers.transport import BrokerUnavailableError, RawMessage, Sendable

EVENTS_MAX = 2_000
GARBAGE_BYTES = 40


@asynccontextmanager
async def events_repeated(scene: Scene) -> AsyncIterator[None]:
    """Some before the relay has published them, most long after."""
    events, chance = await newest_events(scene), scene.chance
    chance.shuffle(events)
    again = [*events, *chance.sample(events, len(events) // 3)]
    messages = list(packed(again, queue_name=scene.stack.queues.audit, actor_name=AUDIT))
    chance.shuffle(messages)
    await put(scene, messages)
    yield


async def newest_events(scene: Scene) -> list[Event]:
    try:
        async with scene.stack.connection() as connection:
            return [Event(**row) for row in await connection.fetch(sql("faults/newest_events"), EVENTS_MAX)]
    except LOST:
        scene.missed.append("events")
        return []


@asynccontextmanager
async def garbage_sent(scene: Scene) -> AsyncIterator[None]:
    garbage = scene.chance.randbytes(GARBAGE_BYTES)
    scene.stack.garbage.add(garbage)
    await put(scene, [RawMessage(scene.stack.queues.audit, garbage)])
    yield


async def put(scene: Scene, messages: Sequence[Sendable]) -> None:
    try:
        await scene.stack.queues.put(messages)
    except BrokerUnavailableError:
        # Some of them may have arrived all the same.
        scene.missed.append("queue")
