"""The contract of the dead letters, on both transports: what nobody could do is parked once, the others are done."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aio_pika
import pytest
from dramatiq import Message

from tests.workers.doomed import FEW_DELIVERIES, POISON
from tests.workers.pipeline import Pipeline, eventually
from workers import audit, broker
from workers.parking import Parking
from workers.transport import RawMessage

GARBAGE = b"\xff no message \x00"


async def collected(parking: Parking, count: int) -> None:
    """Once so many dead messages were copied."""
    copied = 0

    async def enough() -> bool:
        nonlocal copied
        copied += await parking.collect_once()
        return copied >= count

    await eventually(enough)


async def decide(pipeline: Pipeline, decision: str) -> list[str]:
    return [
        await pipeline.owner.fetchval(
            "SELECT decide_dead_letter($1, $2, 'tests', NULL, 'cli', NULL)", letter["id"], decision
        )
        for letter in await pipeline.letters()
    ]


async def test_poisonous_events_become_one_letter_each_and_are_not_sent_again(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    good = await pipeline.sale(banca_id)
    unknown = await pipeline.event(banca_id, "wheels.turned", "{}")
    # jsonb takes no U+0000: the database refuses what Python could read.
    refused = await pipeline.sale(banca_id, keys=["key-\0-key", "another-key"])
    relay, parking = pipeline.relay(), pipeline.parking()
    await relay.run_once()
    with pipeline.worker():
        await collected(parking, 1)
        await pipeline.await_done({good})
    letters = await pipeline.letters()
    assert [(row["event_id"], row["reason"], row["state"], row["attempts"]) for row in letters] == [
        (unknown, "POISONOUS", "PARKED", 1),
        (refused, "POISONOUS", "PARKED", 1),
    ]
    assert "wheels.turned is not known here" in letters[0]["error"]
    assert "UntranslatableCharacterError" in letters[1]["error"]
    assert {row["queue"] for row in letters} == {pipeline.queue}
    assert pipeline.dead() == 0
    await pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '1 day'")
    assert await relay.sweep_once() == 0


async def test_a_replay_sends_once_and_what_was_done_meanwhile_has_no_second_effect(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    mended = await pipeline.event(banca_id, "tickets.sold", "{}")
    await pipeline.relay().run_once()
    parking = pipeline.parking()
    with pipeline.worker():
        await collected(parking, 1)
    assert await decide(pipeline, "REPLAYED") == ["DECIDED"]
    assert await decide(pipeline, "REPLAYED") == ["NOT_PARKED"]
    await pipeline.owner.execute(
        "UPDATE outbox SET payload = (SELECT payload FROM outbox WHERE id = $2) WHERE id = $1",
        mended, await pipeline.sale(banca_id),
    )  # fmt: skip
    assert [await parking.replay_once(), await parking.replay_once()] == [1, 0]
    # The broker brings it twice all the same.
    await pipeline.owner.execute("UPDATE dead_letters SET republished_at = NULL")
    assert await parking.replay_once() == 1

    async def both_done() -> bool:
        return counted.acks == 2

    with pipeline.worker() as counted:
        await eventually(both_done)
    assert {row["event_id"] for row in await pipeline.trail(banca_id)} == {mended}
    assert (await pipeline.verify(banca_id)).links_count == 1
    assert [row["state"] for row in await pipeline.letters()] == ["REPLAYED"]


async def test_a_replayed_letter_that_dies_again_is_the_same_letter_parked_again(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    await pipeline.event(banca_id, "wheels.turned", "{}")
    await pipeline.relay().run_once()
    parking = pipeline.parking()
    with pipeline.worker():
        await collected(parking, 1)
        [first] = await pipeline.letters()
        await decide(pipeline, "REPLAYED")
        assert await parking.replay_once() == 1
        await collected(parking, 1)
    [again] = await pipeline.letters()
    assert (again["id"], again["state"], again["attempts"]) == (first["id"], "PARKED", first["attempts"] + 1)


async def test_a_dropped_event_is_never_sent_again(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    event_id = await pipeline.event(banca_id, "wheels.turned", "{}")
    relay, parking = pipeline.relay(), pipeline.parking()
    await relay.run_once()
    with pipeline.worker():
        await collected(parking, 1)
    assert await decide(pipeline, "DROPPED") == ["DECIDED"]
    old = "UPDATE outbox SET published_at = now() - interval '1 day' WHERE id = $1"
    await pipeline.owner.execute(old, event_id)
    assert [await relay.sweep_once(), await parking.replay_once()] == [0, 0]
    told = "SELECT payload ->> 'action' FROM outbox WHERE type = 'activity.recorded'"
    assert await pipeline.owner.fetchval(told) == "DEAD_LETTER_DROP"


async def test_what_failed_too_often_is_parked_with_its_stack_and_settled_when_it_is_done(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    banca_id = await pipeline.banca()
    event_id = await pipeline.sale(banca_id)
    relay, parking = pipeline.relay(), pipeline.parking()
    await relay.run_once()

    async def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(audit, "RETRIES_MAX", 2)
        broken.setattr(audit, "RETRY_FIRST_MS", 1)
        broken.setattr(audit.Auditor, "record", fail)
        with pipeline.worker():
            await collected(parking, 1)
    [letter] = await pipeline.letters()
    assert (letter["event_id"], letter["reason"], letter["attempts"]) == (event_id, "RETRIES_EXHAUSTED", 3)
    assert letter["error"].endswith("RuntimeError: the disk is full")
    # Time may have mended it: it is swept as if nothing were parked.
    await pipeline.owner.execute("UPDATE outbox SET published_at = now() - interval '1 day'")
    assert await relay.sweep_once() == 1
    with pipeline.worker():
        await pipeline.await_done({event_id})
    await parking.collect_once()
    [letter] = await pipeline.letters()
    assert (letter["state"], letter["decided_by"]) == ("REPLAYED", "pipeline")


async def test_bytes_that_are_no_message_and_actors_that_nobody_knows_are_parked_once_as_they_are(
    pipeline: Pipeline,
) -> None:
    stranger: Message[None] = Message(
        queue_name=pipeline.queue, actor_name="stranger", args=(7,), kwargs={}, options={}
    )
    transport, parking = pipeline.transport(), pipeline.parking()
    await transport.publish([RawMessage(pipeline.queue, GARBAGE), stranger, RawMessage(pipeline.queue, GARBAGE)])
    with pipeline.worker():
        await collected(parking, 3)
    letters = {row["reason"]: row for row in await pipeline.letters()}
    assert set(letters) == {"UNDECODABLE", "UNKNOWN_ACTOR"}
    assert letters["UNDECODABLE"]["payload"] == GARBAGE
    assert letters["UNKNOWN_ACTOR"]["actor"] == "stranger"
    assert await decide(pipeline, "REPLAYED") == ["DECIDED"] * 2
    assert await parking.replay_once() == 2
    assert pipeline.queued() == 2
    with pipeline.worker():
        await collected(parking, 2)
    assert {(row["state"], row["attempts"]) for row in await pipeline.letters()} == {("PARKED", 2)}


async def test_a_copy_that_was_not_confirmed_is_made_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    await pipeline.transport().publish([RawMessage(pipeline.queue, GARBAGE)])
    parking = pipeline.parking()

    async def die(_: object) -> None:
        raise ConnectionError("died between the copy and its removal")

    with pipeline.worker():

        async def parked() -> bool:
            return pipeline.dead() == 1

        await eventually(parked)
    with monkeypatch.context() as dying, pytest.raises(ConnectionError):
        dying.setattr(parking.dead_queues, "forget", die)
        await parking.collect_once()
    await parking.dead_queues.release()
    await collected(parking, 1)
    [letter] = await pipeline.letters()
    assert (letter["state"], letter["attempts"]) == ("PARKED", 1)


async def test_a_message_that_kills_its_worker_is_parked_and_its_neighbours_are_done(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One poison in a pack of events, one actor that only exits: the pack is taken apart before anybody is blamed."""
    monkeypatch.setattr(broker, "DELIVERY_LIMIT", FEW_DELIVERIES)
    banca_id = await pipeline.banca()
    before = {await pipeline.sale(banca_id) for _ in range(5)}
    poison = await pipeline.event(banca_id, POISON, "{}")
    after = {await pipeline.sale(banca_id) for _ in range(5)}
    transport, parking = pipeline.transport(), pipeline.parking()
    await pipeline.relay(transport).run_once()
    deadly: Message[None] = Message(queue_name=pipeline.queue, actor_name="poison", args=(), kwargs={}, options={})
    await transport.publish([deadly])
    after |= {await pipeline.sale(banca_id) for _ in range(3)}
    await pipeline.relay(transport).run_once()

    async def settled() -> bool:
        supervise()
        await parking.collect_once()
        return len(await pipeline.letters()) == 2 and before | after <= await pipeline.done()

    with restarted(pipeline) as supervise:
        await eventually(settled, deadline_s=100)
    letters = await pipeline.letters()
    assert [(row["event_id"], row["actor"], row["reason"]) for row in letters] == [
        (poison, "audit", "DELIVERY_LIMIT"),
        (None, "poison", "DELIVERY_LIMIT"),
    ]
    assert {row["attempts"] for row in letters} == {FEW_DELIVERIES + 1}
    assert (await pipeline.verify(banca_id)).links_count == len(before | after)


@contextmanager
def restarted(pipeline: Pipeline) -> Iterator[Callable[[], None]]:
    """A worker that is started again whenever the test looks and it is dead."""
    processes: list[subprocess.Popen[str]] = []

    def look() -> None:
        if not processes or processes[-1].poll() is not None:
            processes.append(pipeline.process("tests/workers/doomed.py", "poisoned"))

    try:
        yield look
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def test_undecodable_bytes_from_anybody_leave_the_queue_alone(rabbitmq_pipeline: Pipeline) -> None:
    """As a stranger with access to the broker would put them: no properties, no persistence."""
    parking = rabbitmq_pipeline.parking()
    await parking.collect_once()
    connection = await aio_pika.connect(rabbitmq_pipeline.place.amqp_url, timeout=3)
    channel = await connection.channel()
    await channel.default_exchange.publish(aio_pika.Message(b'{"actor_name": 1}'), rabbitmq_pipeline.queue)
    await connection.close()
    with rabbitmq_pipeline.worker():
        await collected(parking, 1)
    assert [row["reason"] for row in await rabbitmq_pipeline.letters()] == ["UNDECODABLE"]
