"""What the pipeline holds at most, whatever waits or is away; and that it comes back by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import dramatiq.worker
import pytest
from dramatiq.common import dq_name
from dramatiq.middleware import AsyncIO, Retries

from core.events import Event
from tests.proxy import Proxy
from tests.workers.pipeline import BrokerPlace, Pipeline, eventually
from workers import broker, transport
from workers.broker import DELAYED_MESSAGES_MAX, prefetch_of
from workers.consumers import alone, queue_name
from workers.transport import BrokerUnavailableError, RawMessage, Sendable
from workers.worker import serve

QUEUE = queue_name("tests", "audit")


@pytest.mark.parametrize(
    ("queue", "asked", "allowed"),
    [
        (QUEUE, 8, 8),
        (alone(QUEUE), 8, 1),
        (dq_name(QUEUE), 4_000, DELAYED_MESSAGES_MAX),
        (dq_name(alone(QUEUE)), 4_000, DELAYED_MESSAGES_MAX),
    ],
)
def test_a_worker_holds_few_messages_and_of_a_quarantine_one(queue: str, asked: int, allowed: int) -> None:
    assert prefetch_of(queue, asked=asked) == allowed


class Away:
    """A broker that is away, and says how much it was offered at once."""

    def __init__(self) -> None:
        self.most = 0

    async def publish(self, messages: Sequence[Sendable]) -> None:
        events = [message.args[0] for message in messages if not isinstance(message, RawMessage)]
        self.most = max(self.most, sum(map(len, events)))
        raise BrokerUnavailableError("away")

    async def close(self) -> None:
        return


async def test_a_relay_without_a_broker_holds_one_batch_however_much_waits(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    await redis_pipeline.owner.execute(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at)"
        " SELECT nextval('outbox_id'), $1, 'a.b', '{}', now() FROM generate_series(1, 1000)",
        banca_id,
    )
    away = Away()
    relay = redis_pipeline.relay(away)
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError):
            await relay.run_once()
    assert away.most == relay.batch_events
    unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND publish_count = 0"
    assert await redis_pipeline.owner.fetchval(unpublished) == 1_000


async def test_a_broker_that_hangs_is_given_up_in_time_and_then_everything_arrives_once(
    rabbitmq_pipeline: Pipeline, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy keeps the connection and passes nothing on: neither an error nor an end tells the relay."""
    pipeline = rabbitmq_pipeline
    monkeypatch.setattr(transport, "PUBLISH_TIMEOUT_S", 1.0)
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 1.0)
    banca_id = await pipeline.banca()
    async with Proxy(rabbitmq_url) as proxy:
        pipeline.place = BrokerPlace(redis_url=None, amqp_url=proxy.url)
        relay, stop = pipeline.relay(), asyncio.Event()
        event_ids = {await pipeline.sale(banca_id)}
        assert await relay.run_once() == 1
        proxy.freeze()
        event_ids |= {await pipeline.sale(banca_id) for _ in range(10)}
        with pytest.raises(BrokerUnavailableError):
            await asyncio.wait_for(relay.run_once(), 10)
        running = asyncio.create_task(relay.run(stop))
        await proxy.cut()
        await proxy.mend()
        pipeline.place = BrokerPlace(redis_url=None, amqp_url=rabbitmq_url)
        with pipeline.worker():
            await pipeline.await_done(event_ids)
        stop.set()
        await running
    assert {row["event_id"] for row in await pipeline.trail(banca_id)} == event_ids
    assert (await pipeline.verify(banca_id)).links_count == len(event_ids)


async def test_a_lost_queue_and_a_lost_broker_state_are_made_good_by_one_sweep_each(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    relay = pipeline.relay()
    lost = {await pipeline.sale(banca_id) for _ in range(relay.batch_events // 50)}
    await relay.run_once()
    await asyncio.to_thread(delete_state, pipeline)
    await pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '31 seconds'")
    fresh = pipeline.relay(pipeline.transport())
    assert await fresh.sweep_once() == len(lost)
    with pipeline.worker():
        await pipeline.await_done(lost)


def delete_state(pipeline: Pipeline) -> None:
    """Everything that the broker knows of us."""
    each = pipeline.broker()
    if pipeline.place.redis_url is not None:
        for key in each.client.scan_iter(f"{each.namespace}:*"):
            each.client.delete(key)
    else:
        for name in broker.queue_declarations(pipeline.queue):
            each.channel.queue_delete(name)
    each.close()


async def test_a_sweep_sends_a_batch_at_most(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    await redis_pipeline.owner.execute(
        "INSERT INTO outbox (id, banca_id, type, payload, created_at, published_at, publish_count)"
        " SELECT nextval('outbox_id'), $1, 'a.b', '{}', now(), now() - interval '1 hour', 1"
        " FROM generate_series(1, 500)",
        banca_id,
    )
    relay = redis_pipeline.relay()
    assert [await relay.sweep_once() for _ in range(4)] == [200, 200, 100, 0]


async def test_an_old_event_that_comes_again_after_it_was_forgotten_has_no_second_effect(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    event_id = await pipeline.sale(banca_id)
    relay, late = pipeline.relay(retention_s=0), pipeline.transport()
    with pipeline.worker():
        await relay.run_once()
        await pipeline.await_done({event_id})
    row = await pipeline.owner.fetchrow(
        "SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox WHERE id = $1", event_id
    )
    assert await relay.forget_once() == 1
    assert await pipeline.done() == set(), "its inbox row went with it"
    assert row is not None
    await late.publish(relay._messages([Event(**row)]))

    async def acknowledged() -> bool:
        return counted.acks == 1

    with pipeline.worker() as counted:
        await eventually(acknowledged)
    assert counted.nacks == 0
    assert (await pipeline.verify(banca_id)).links_count == 1


def test_a_worker_whose_thread_died_ends_with_1_so_that_its_supervisor_starts_another(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dramatiq.worker.ConsumerThread, "run", lambda _: None)
    the_broker = broker.create_broker(
        instance_id="tests", redis_url=valkey_url, amqp_url=None, middleware=[Retries(), AsyncIO()]
    )
    dramatiq.actor(broker=the_broker, actor_name="idle", queue_name="idle")(lambda: None)
    assert serve(the_broker, threading.Event(), threads=1) == 1
