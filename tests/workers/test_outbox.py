"""The relay's care for the outbox: nothing published twice at once, nothing lost, nothing kept for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from core.database import DatabaseUnavailableError
from core.queries import sql
from tests.workers.pipeline import Pipeline, eventually
from workers.transport import BrokerUnavailableError, RawMessage, Sendable


class Slow:
    """A transport that confirms when the test says so, and keeps what it was given."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.confirmed = asyncio.Event()
        self.event_ids: list[int] = []

    async def publish(self, messages: Sequence[Sendable]) -> None:
        self.asked.set()
        await self.confirmed.wait()
        self.event_ids += [
            event["id"] for message in messages if not isinstance(message, RawMessage) for event in message.args[0]
        ]

    async def close(self) -> None:
        return


async def test_two_relays_take_different_events(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    first, second = Slow(), Slow()
    second.confirmed.set()
    ids = [await redis_pipeline.sale(banca_id) for _ in range(3)]
    relay = redis_pipeline.relay(first)
    relay.batch_events = 2
    running = asyncio.create_task(relay.run_once())
    await first.asked.wait()
    assert await redis_pipeline.relay(second).run_once() == 1
    first.confirmed.set()
    assert await running == 2
    assert first.event_ids == ids[:2]
    assert second.event_ids == ids[2:]
    assert {row["publish_count"] for row in (await redis_pipeline.events()).values()} == {1}


async def test_an_event_that_commits_after_later_ones_is_not_passed_over(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    transport = Slow()
    transport.confirmed.set()
    relay = redis_pipeline.relay(transport)
    late = await redis_pipeline.owner.fetchval("SELECT nextval('outbox_id')")
    early = await redis_pipeline.sale(banca_id)
    assert await relay.run_once() == 1
    await redis_pipeline.owner.execute(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at) VALUES ($1, $2, 'a.b', '{}', now())",
        late,
        banca_id,
    )
    assert await relay.run_once() == 1
    assert transport.event_ids == [early, late]


async def test_the_sweeper_sends_again_what_the_broker_lost_later_each_time(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    relay = pipeline.relay()
    recorded, lost = await pipeline.sale(banca_id), await pipeline.sale(banca_id)
    await relay.run_once()
    await asyncio.to_thread(flush, pipeline)
    await pipeline.owner.execute("INSERT INTO inbox (consumer, event_id) VALUES ('audit', $1)", recorded)
    assert await relay.sweep_once() == 0
    await publish_was(pipeline, seconds_ago=31)
    assert await relay.sweep_once() == 1
    assert {id_: row["publish_count"] for id_, row in (await pipeline.events()).items()} == {recorded: 1, lost: 2}
    await publish_was(pipeline, seconds_ago=31)
    assert await relay.sweep_once() == 0
    await publish_was(pipeline, seconds_ago=61)
    assert await relay.sweep_once() == 1
    with pipeline.worker():
        await pipeline.await_done({lost})
    assert len(await pipeline.trail(banca_id)) == 2


async def test_a_running_relay_sends_a_lost_message_again_each_time_it_is_lost(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    # No worker takes anything: what waits in the queue is what the relay has put there.
    relay, stop = pipeline.relay(sweep_every_s=0.0), asyncio.Event()
    lost = await pipeline.sale(banca_id)
    running = asyncio.create_task(relay.run(stop))
    for losses in range(3):
        await published(pipeline, lost, times=losses + 1)
        await asyncio.to_thread(flush, pipeline)
        await publish_was(pipeline, seconds_ago=30 * 2**losses + 1)
    await published(pipeline, lost, times=4)
    stop.set()
    await running
    with pipeline.worker():
        await pipeline.await_done({lost})
    assert len(await pipeline.trail(banca_id)) == 2


async def test_a_running_relay_forgets_what_is_done_and_old(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    relay, stop = redis_pipeline.relay(retention_s=0.0, sweep_every_s=0.0), asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    for _ in range(2):
        event_id = await redis_pipeline.sale(banca_id)
        await published(redis_pipeline, event_id, times=1)
        await redis_pipeline.owner.execute("INSERT INTO inbox (consumer, event_id) VALUES ('audit', $1)", event_id)

        async def is_forgotten(event_id: int = event_id) -> bool:
            return event_id not in await redis_pipeline.events()

        await eventually(is_forgotten)
    stop.set()
    await running


async def test_a_running_parking_copies_and_replays_dead_messages(pipeline: Pipeline) -> None:
    """Both halves of its round, each more than once."""
    parking, stop = pipeline.parking(), asyncio.Event()
    running = asyncio.create_task(parking.run(stop))
    for number in range(2):
        data = f"no message {number}".encode()
        await pipeline.transport().publish([RawMessage(pipeline.queue, data)])
        with pipeline.worker():
            await parked(pipeline, data)
        await pipeline.owner.execute(
            "SELECT decide_dead_letter(id, 'REPLAYED', 'tests', NULL, 'cli', NULL) FROM dead_letters WHERE payload = $1",
            data,
        )
        await sent_again(pipeline, data)
    stop.set()
    await running


async def parked(pipeline: Pipeline, data: bytes) -> None:
    async def is_parked() -> bool:
        return any((row["payload"], row["state"]) == (data, "PARKED") for row in await pipeline.letters())

    await eventually(is_parked)


async def sent_again(pipeline: Pipeline, data: bytes) -> None:
    async def is_sent() -> bool:
        return bool(
            await pipeline.owner.fetchval(
                "SELECT republished_at IS NOT NULL FROM dead_letters WHERE payload = $1", data
            )
        )

    await eventually(is_sent)


async def published(pipeline: Pipeline, event_id: int, *, times: int) -> None:
    async def is_published() -> bool:
        return bool((await pipeline.events())[event_id]["publish_count"] == times)

    await eventually(is_published)


def flush(pipeline: Pipeline) -> None:
    broker = pipeline.broker()
    if pipeline.place.redis_url is not None:
        broker.flush(pipeline.queue)
    else:
        broker.channel.queue_purge(pipeline.queue)
    broker.close()


async def publish_was(pipeline: Pipeline, *, seconds_ago: int) -> None:
    await pipeline.owner.execute(
        "UPDATE outbox SET published_at = now() - make_interval(secs => $1)", float(seconds_ago)
    )


async def test_only_old_events_that_every_consumer_has_done_are_forgotten(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    done_and_old, undone, done_and_new, unpublished = [await redis_pipeline.sale(banca_id) for _ in range(4)]
    owner = redis_pipeline.owner
    await owner.execute(
        "UPDATE outbox SET published_at = now() - interval '10 minutes' WHERE id = ANY ($1)", [done_and_old, undone]
    )
    await owner.execute("UPDATE outbox SET published_at = now() WHERE id = $1", done_and_new)
    await owner.execute(
        "INSERT INTO inbox (consumer, event_id) SELECT 'audit', unnest($1::bigint[])",
        [done_and_old, done_and_new, unpublished],
    )
    # Of two consumers one has not done it.
    old = timedelta(minutes=5)
    assert await owner.fetchval("SELECT forget_events(ARRAY['audit', 'another'], $1, 100)", old) == 0
    assert await owner.fetchval("SELECT forget_events('{}', $1, 100)", old) == 0
    assert await redis_pipeline.relay().forget_once() == 1
    assert set(await redis_pipeline.events()) == {undone, done_and_new, unpublished}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM outbox",
        "UPDATE outbox SET payload = '{}'",
        "INSERT INTO outbox (id, banca_id, type, payload, created_at) VALUES (1, gen_random_uuid(), 'a.b', '{}', now())",
        "DELETE FROM inbox",
        "UPDATE activity_log SET action = 'X'",
        "DELETE FROM activity_log",
        "UPDATE audit_chain SET hash = previous_hash",
        "DELETE FROM audit_chain",
        "SELECT count(*) FROM sessions",
    ],
)
async def test_the_pipelines_role_may_not(redis_pipeline: Pipeline, statement: str) -> None:
    async with redis_pipeline.database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


@pytest.mark.parametrize(
    ("query", "scan"), [("take_unpublished", "Index Scan"), ("first_unpublished", "Index Only Scan")]
)
async def test_taking_events_keeps_to_the_index_of_the_unpublished(
    redis_pipeline: Pipeline, query: str, scan: str
) -> None:
    banca_id = await redis_pipeline.banca()
    await redis_pipeline.owner.execute(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at, published_at)"
        " SELECT n, $1, 'a.b', '{}', now(), CASE WHEN n % 10 = 0 THEN NULL ELSE now() END"
        " FROM generate_series(1, 20000) n",
        banca_id,
    )
    await redis_pipeline.owner.execute("ANALYZE outbox")
    plan = await redis_pipeline.owner.fetch("EXPLAIN " + sql(f"outbox/{query}").replace("$1", "200"))
    text = "\n".join(row[0] for row in plan)
    assert f"{scan} using outbox_to_publish" in text
    assert "Sort" not in text


async def test_the_relay_outlives_trouble_of_both_sides(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    event_id = await redis_pipeline.sale(banca_id)
    troubles: list[Exception] = [BrokerUnavailableError("away"), DatabaseUnavailableError("away"), ValueError("a bug")]
    delivered = Slow()
    delivered.confirmed.set()
    stop = asyncio.Event()

    class Troubled(Slow):
        async def publish(self, messages: Sequence[Sendable]) -> None:
            if troubles:
                raise troubles.pop(0)
            await delivered.publish(messages)
            stop.set()

    await redis_pipeline.relay(Troubled()).run(stop)
    assert delivered.event_ids == [event_id]
