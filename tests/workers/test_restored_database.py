"""A database is restored to an earlier time; the broker is not. Numbers of events are then given out twice."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import asyncpg
import pytest
from dramatiq import Message

from core.books import check_books
from core.database import Database, create_pool
from core.events import Event, from_wire
from tests.api.selling import sell, ticket
from tests.arena import Arena
from tests.databases import DatabaseStock, TestDatabase, database_of, in_server
from tests.pos import Pos
from tests.running_api import RunningApi, api_settings
from tests.workers.pipeline import Pipeline, eventually
from tests.workers.test_dead_letters import collected, decide
from tests.workers.test_outbox import Slow
from workers.consumers import AUDIT, CONSUMERS, WANTED, queue_name
from workers.letters import DeadMessage
from workers.packing import message_of
from workers.parking import Parking

SALES = 12


class Restored:
    """A pipeline whose database can be put back to the time at which it was copied."""

    def __init__(self, server_url: str, database: TestDatabase, pipeline: Pipeline) -> None:
        self.server_url = server_url
        self.database = database
        self.pipeline = pipeline
        self.copy = f"banca_test_{uuid.uuid4().hex[:12]}"

    async def take_copy(self) -> None:
        """Nobody may be connected meanwhile."""
        name = await self.pipeline.owner.fetchval("SELECT current_database()")
        await self.disconnect()
        await in_server(self.server_url, f"CREATE DATABASE {self.copy} TEMPLATE {name}")
        await self._connect(name)

    async def restore(self) -> None:
        """Queues and processes go on with what the copy holds."""
        await self.disconnect()
        await self._connect(self.copy)

    async def disconnect(self) -> None:
        await self.pipeline.owner.close()
        await self.pipeline.database.pool.close()

    async def _connect(self, name: str) -> None:
        self.database = TestDatabase(database_of(self.server_url, name))
        self.pipeline.owner = await asyncpg.connect(self.database.owner_url)
        self.pipeline.worker_url = self.database.worker_url
        pool = await create_pool(self.database.worker_url, size=3, timeout_s=10, application_name="tests")
        self.pipeline.database = Database(pool, acquire_timeout_s=10)


@pytest.fixture
async def restored(
    server_url: str, stock: DatabaseStock, database: TestDatabase, pipeline: Pipeline
) -> AsyncIterator[Restored]:
    restored = Restored(server_url, database, pipeline)
    yield restored
    await restored.disconnect()
    stock.give_back(restored.copy)


async def sales(restored: Restored, arena: Arena, count: int) -> set[int]:
    """Real ones, one after another; gives the numbers of their events."""
    before = set(await restored.pipeline.events())
    async with RunningApi(api_settings(database_url=restored.database.api_url)) as api:
        pos = Pos(api, arena.seller)
        for _ in range(count):
            await sell(pos, ticket(arena))
    return set(await restored.pipeline.events()) - before


async def test_what_vanished_is_parked_and_what_took_its_numbers_is_recorded(restored: Restored) -> None:
    pipeline = restored.pipeline
    arena = await Arena.create(pipeline.owner, api_settings(database_url=restored.database.api_url))
    kept = await sales(restored, arena, SALES)
    await pipeline.relay().run_once()
    with pipeline.worker():
        await pipeline.await_done(kept)
    await restored.take_copy()
    vanished = await sales(restored, arena, SALES)
    payloads = {row["payload"] for event_id, row in (await pipeline.events()).items() if event_id in vanished}
    assert await pipeline.relay().run_once() == SALES

    await restored.restore()
    # One less than vanished: its number stands for nothing yet.
    since = await sales(restored, arena, SALES - 1)
    assert since == vanished - {max(vanished)}
    parking, relay = pipeline.parking(), pipeline.relay()
    with pipeline.worker():
        await collected(parking, 1)
        # The old messages have come; the new events are still in the outbox alone.
        assert await pipeline.done() & since == set()
        assert await relay.run_once() == SALES - 1
        await pipeline.await_done(since)

        async def is_empty() -> bool:
            return pipeline.queued() == 0

        await eventually(is_empty)

    letters = await pipeline.letters()
    assert {(row["reason"], row["state"], row["event_id"]) for row in letters} == {("VANISHED", "PARKED", None)}
    assert {event.payload for row in letters for event in events_in(row["payload"])} == payloads
    assert all("restored to a time before it" in row["error"] for row in letters)
    report = await check_books(restored.database.owner_url, pipeline_grace=timedelta(0))
    assert report.findings == ()


async def test_what_vanished_comes_after_the_event_of_its_number_was_done(pipeline: Pipeline) -> None:
    """Done and in the outbox, done and forgotten, with the same content or with another."""
    banca_id = await pipeline.banca()
    ids = [await pipeline.sale(banca_id) for _ in range(2)]
    relay, parking = pipeline.relay(), pipeline.parking()
    await relay.run_once()
    with pipeline.worker():
        await pipeline.await_done(set(ids))
    events = await events_of(pipeline, ids)
    await pipeline.owner.execute("DELETE FROM inbox WHERE event_id = $1", ids[1])
    await pipeline.owner.execute("DELETE FROM outbox WHERE id = $1", ids[1])
    others = [replace_payload(event) for event in events]
    await pipeline.transport().publish([message_of([*events, *others], queue_name=pipeline.queue, actor_name=AUDIT)])
    with pipeline.worker():
        await collected(parking, 1)
    letters = await pipeline.letters()
    assert {row["reason"] for row in letters} == {"VANISHED"}
    assert {event.payload for row in letters for event in events_in(row["payload"])} == {
        each.payload for each in others
    }
    assert (await pipeline.verify(banca_id)).links_count == 2
    # They do not stand for those that have their numbers: nothing settles them, and nothing is held back by them.
    await pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '1 day'")
    await pipeline.owner.execute("DELETE FROM inbox")
    unheard = Slow()
    unheard.confirmed.set()
    assert await pipeline.relay(unheard).sweep_once() == 1
    await parking.collect_once()
    assert {row["state"] for row in await pipeline.letters()} == {"PARKED"}
    # Sent again it is the same letter.
    await decide(pipeline, "REPLAYED")
    assert await parking.replay_once() == 2
    with pipeline.worker():
        await collected(parking, 2)
    assert [(row["state"], row["reason"]) for row in await pipeline.letters()] == [("PARKED", "VANISHED")] * 2


@pytest.mark.parametrize("change", ["banca", "type", "content"])
async def test_an_event_is_another_one_when_any_part_of_it_differs(redis_pipeline: Pipeline, change: str) -> None:
    pipeline = redis_pipeline
    banca_id, other_id = await pipeline.banca(), await pipeline.banca()
    event_id = await pipeline.event(banca_id, "sessions.opened", asked())
    [event] = await events_of(pipeline, [event_id])
    other = {
        "banca": Event(event.id, other_id, event.type, event.payload, event.created_at),
        "type": Event(event.id, banca_id, "sessions.closed", event.payload, event.created_at),
        "content": replace_payload(event),
    }[change]
    await pipeline.transport().publish([message_of([other], queue_name=pipeline.queue, actor_name=AUDIT)])
    with pipeline.worker():
        await collected(pipeline.parking(), 1)
    assert [row["reason"] for row in await pipeline.letters()] == ["VANISHED"]
    assert await pipeline.done() == set()
    assert await pipeline.trail(banca_id) == await pipeline.trail(other_id) == []


@pytest.mark.parametrize("death", ["rejected", "delivery_limit"])
@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_a_dead_message_of_what_vanished_is_no_letter_of_the_event_with_its_number(
    redis_pipeline: Pipeline, consumer: str, death: str
) -> None:
    pipeline = redis_pipeline
    banca_id = await pipeline.banca()
    type_ = min(WANTED.get(consumer, {"tickets.sold"}))
    event_id = await pipeline.event(banca_id, type_, asked())
    [event] = await events_of(pipeline, [event_id])
    queue = queue_name(pipeline.instance_id, consumer)
    vanished = message_of([replace_payload(event)], queue_name=queue, actor_name=consumer)
    parking = Parking(
        pipeline.database, OneDead(queue, vanished, death), pipeline.transport(), instance_id=pipeline.instance_id
    )
    assert await parking.collect_once() == 1
    [letter] = await pipeline.letters()
    assert (letter["reason"], letter["event_id"]) == ("VANISHED", None)
    assert pipeline.queued() == 0
    await pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '1 day'")
    assert await pipeline.relay().sweep_once() == 1


class OneDead:
    """Dead queues that hold one message."""

    def __init__(self, queue: str, message: Message[None], death: str) -> None:
        self.messages = [DeadMessage(queue, message.encode(), death, 1, None)]

    async def take(self, limit: int) -> list[DeadMessage]:
        return self.messages[:limit]

    async def forget(self, messages: Sequence[DeadMessage]) -> None:
        assert list(messages) == self.messages

    async def release(self) -> None:
        return


def asked() -> dict[str, object]:
    """What several types of events can be read from."""
    return {
        "at": "2026-11-21T03:26:34.123456+00:00",
        "sessionId": str(uuid.uuid4()),
        "actorId": str(uuid.uuid4()),
    }


def replace_payload(event: Event) -> Event:
    """Another event of that number, readable where the first is."""
    return Event(
        event.id, event.banca_id, event.type, event.payload.replace("2026-11-21", "2026-11-20"), event.created_at
    )


async def events_of(pipeline: Pipeline, ids: Sequence[int]) -> list[Event]:
    rows = await pipeline.owner.fetch(
        "SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox WHERE id = ANY ($1) ORDER BY id",
        ids,
    )
    return [Event(**row) for row in rows]


def events_in(data: bytes) -> list[Event]:
    message: Message[None] = Message.decode(data)
    return [from_wire(envelope) for envelope in message.args[0]]
