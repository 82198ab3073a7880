"""The contract of the pipeline, on both transports: what was committed is in the audit trail, once."""

from __future__ import annotations

import asyncio
import random
import signal
import uuid
from datetime import date

import aio_pika
import orjson
import pytest

from cli.valkey import EmbeddedValkey
from core.events import Event
from tests.arena import Arena
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.workers.pipeline import BrokerPlace, Pipeline, eventually, sold
from workers.packing import message_of
from workers.transport import BrokerUnavailableError, RabbitTransport, RedisTransport


async def test_a_sale_is_audited_ticket_by_ticket_and_chained(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    payload = sold(3)
    event_id = await pipeline.event(banca_id, "tickets.sold", payload)
    with pipeline.worker():
        assert await pipeline.relay().run_once() == 1
        await pipeline.await_done({event_id})
    rows = await pipeline.trail(banca_id)
    assert [row["line"] for row in rows] == [1, 2, 3]
    assert [str(row["target_id"]) for row in rows] == payload["ticketIds"]
    assert [str(row["actor_id"]) for row in rows] == payload["actorIds"]
    assert [row["request_id"] for row in rows] == payload["requestIds"]
    assert {(row["action"], row["target_type"]) for row in rows} == {("TICKET_CREATE", "TICKET")}
    # 03:26 UTC is still the evening before in Costa Rica.
    assert {row["occurred_on"] for row in rows} == {date(2026, 11, 20)}
    details = orjson.loads(rows[1]["details"])
    assert details["sequence"] == 2
    assert details["totalCents"] == 50_001
    report = await pipeline.verify(banca_id)
    assert (report.links_count, report.rows_count, report.first_break) == (1, 3, None)


async def test_what_the_api_and_the_functions_write_is_what_the_audit_reads(
    redis_pipeline: Pipeline, api: RunningApi, arena: Arena
) -> None:
    pos, owner = Pos(api, arena.seller), redis_pipeline.owner
    jugada = {"type": "NUMERO", "number": "07", "amount": "500.00", "multiplierId": str(arena.multiplier_id)}
    ticket = {"sorteoId": str(arena.sorteo_id), "loteriaId": str(arena.loteria_id), "jugadas": [jugada]}
    sold_one = await pos.post("/api/v1/tickets", ticket, key=new_key())
    assert sold_one.status == 201, sold_one.body
    ticket_id = sold_one.json()["id"]
    cancelled = await pos.post(f"/api/v1/tickets/{ticket_id}/cancel", {}, key=new_key())
    assert cancelled.status == 200, cancelled.body
    session_id = uuid.uuid4()
    for type_, reason in (("sessions.opened", None), ("sessions.closed", "LOGOUT")):
        await owner.execute(
            "SELECT record_session_event($1, $2, $3, $4, $5, 'request')",
            type_, arena.banca_id, session_id, arena.seller.id, reason,
        )  # fmt: skip
    with redis_pipeline.worker():
        await redis_pipeline.relay().run_once()
        await redis_pipeline.await_done(set(await redis_pipeline.events()))
    told = {
        row["action"]: (str(row["target_id"]), row["actor_id"]) for row in await redis_pipeline.trail(arena.banca_id)
    }
    assert told == {
        "TICKET_CREATE": (ticket_id, arena.seller.id),
        "TICKET_CANCEL": (ticket_id, arena.seller.id),
        "LOGIN": (str(session_id), arena.seller.id),
        "LOGOUT": (str(session_id), arena.seller.id),
    }


async def test_duplicated_and_reordered_events_of_several_bancas_are_recorded_once(pipeline: Pipeline) -> None:
    bancas = [await pipeline.banca() for _ in range(3)]
    sales = [(banca, await pipeline.sale(banca)) for _ in range(10) for banca in bancas]
    rows = await pipeline.owner.fetch("SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox")
    events = [Event(**row) for row in rows] * 3
    random.Random(7).shuffle(events)
    transport = pipeline.transport()
    await transport.publish(
        [message_of(events[n : n + 7], queue_name=pipeline.queue, actor_name="audit") for n in range(0, 90, 7)]
    )

    async def everything_acknowledged() -> bool:
        return counted.acks == 13

    with pipeline.worker() as counted:
        await eventually(everything_acknowledged)
    for banca in bancas:
        expected = [event_id for owner, event_id in sales if owner == banca]
        assert sorted({row["event_id"] for row in await pipeline.trail(banca)}) == expected
        report = await pipeline.verify(banca)
        assert (report.links_count, report.rows_count, report.first_break) == (10, 20, None)


async def test_a_relay_killed_between_confirm_and_mark_delivers_twice_and_it_is_recorded_once(
    pipeline: Pipeline,
) -> None:
    banca_id = await pipeline.banca()
    event_id = await pipeline.sale(banca_id)
    with pipeline.process("tests/workers/doomed.py", "relay") as doomed:
        assert doomed.wait(30) == -signal.SIGKILL
    assert (await pipeline.events())[event_id]["published_at"] is None

    async def taken_again() -> int:
        return await pipeline.relay().run_once()

    # Its lock falls when the server notices that it is gone.
    assert await eventually(taken_again) == 1

    async def delivered_twice() -> bool:
        return counted.acks == 2

    with pipeline.worker() as counted:
        await eventually(delivered_twice)
    assert len(await pipeline.trail(banca_id)) == 2
    assert (await pipeline.verify(banca_id)).links_count == 1


async def test_a_worker_killed_between_commit_and_acknowledgement_leaves_one_record(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    event_id = await pipeline.sale(banca_id)
    assert await pipeline.relay().run_once() == 1
    with pipeline.process("tests/workers/doomed.py", "worker") as doomed:
        assert doomed.stdout is not None
        while "recorded" not in await asyncio.to_thread(doomed.stdout.readline):
            assert doomed.poll() is None
        doomed.kill()
    assert await pipeline.done() == {event_id}

    async def came_again() -> bool:
        return counted.acks >= 1

    with pipeline.worker() as counted:
        await eventually(came_again)
    assert len(await pipeline.trail(banca_id)) == 2
    report = await pipeline.verify(banca_id)
    assert (report.links_count, report.first_break) == (1, None)


async def test_poisonous_events_are_parked_and_their_neighbours_recorded(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    good = {await pipeline.sale(banca_id)}
    await pipeline.event(banca_id, "tickets.sold", '{"at": "yesterday"}')
    await pipeline.event(banca_id, "wheels.turned", "{}")
    # jsonb takes no U+0000: the database refuses what Python could read.
    await pipeline.sale(banca_id, keys=["key-\0-key", "another-key"])
    await pipeline.sale(banca_id, keys=["one column too short"])
    good.add(await pipeline.sale(banca_id))

    async def parked() -> bool:
        return pipeline.dead() == 1

    with pipeline.worker() as counted:
        assert await pipeline.relay().run_once() == 6
        await eventually(parked)
        assert counted.nacks == 1
        assert await pipeline.done() == good
        later = await pipeline.sale(banca_id)
        await pipeline.relay().run_once()
        await pipeline.await_done({later})
    report = await pipeline.verify(banca_id)
    assert (report.links_count, report.first_break) == (3, None)


async def test_a_message_that_cannot_be_decoded_is_parked_and_the_others_go_on(pipeline: Pipeline) -> None:
    banca_id = await pipeline.banca()
    relay = pipeline.relay()
    await relay.run_once()
    event_ids = {await pipeline.sale(banca_id)}
    await relay.run_once()
    await put_garbage(pipeline)
    event_ids.add(await pipeline.sale(banca_id))
    await relay.run_once()

    async def parked() -> bool:
        return pipeline.dead() == 1

    with pipeline.worker():
        await pipeline.await_done(event_ids)
        await eventually(parked)


async def put_garbage(pipeline: Pipeline) -> None:
    if pipeline.place.amqp_url is not None:
        connection = await aio_pika.connect(pipeline.place.amqp_url, timeout=3)
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"\xff garbage"), pipeline.queue)
        await connection.close()
    else:
        broker = pipeline.broker()
        broker.do_enqueue(pipeline.queue, "some-id", b"\xff garbage")
        broker.close()


async def test_processes_carry_events_within_two_seconds_survive_cut_connections_and_end_when_asked(
    pipeline: Pipeline,
) -> None:
    banca_id = await pipeline.banca()
    with pipeline.process("-m", "workers.relay") as relay, pipeline.process("-m", "workers") as worker:
        try:
            await pipeline.await_done({await pipeline.sale(banca_id)})
            event_id = await pipeline.sale(banca_id)
            await pipeline.await_done({event_id})
            lag = await pipeline.owner.fetchval(
                "SELECT i.done_at - o.created_at FROM outbox o JOIN inbox i ON i.event_id = o.id WHERE o.id = $1",
                event_id,
            )
            assert lag.total_seconds() < 2
            cut = await pipeline.owner.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name IN ('banca-relay', 'banca-worker') AND datname = current_database()"
            )
            assert cut >= 2
            await pipeline.await_done({await pipeline.sale(banca_id)})
        finally:
            relay.terminate()
            worker.terminate()
            codes = [await asyncio.to_thread(process.wait, 20) for process in (relay, worker)]
    assert codes == [0, 0]
    assert (await pipeline.verify(banca_id)).first_break is None


async def test_no_broker_and_nothing_is_marked_then_it_comes_back_and_nothing_is_lost(
    redis_pipeline: Pipeline, own_valkey: EmbeddedValkey
) -> None:
    pipeline = redis_pipeline
    pipeline.place = BrokerPlace(redis_url=own_valkey.redis_url, amqp_url=None)
    banca_id = await pipeline.banca()
    before = await pipeline.sale(banca_id)
    relay = pipeline.relay()
    stop = asyncio.Event()
    with pipeline.worker():
        await relay.run_once()
        await pipeline.await_done({before})
        await asyncio.to_thread(own_valkey.stop)
        meanwhile = await pipeline.sale(banca_id)
        with pytest.raises(BrokerUnavailableError):
            await relay.run_once()
        assert (await pipeline.events())[meanwhile]["published_at"] is None
        running = asyncio.create_task(relay.run(stop))
        # Servers are started from the main thread, which waits here.
        own_valkey.start()
        await pipeline.await_done({meanwhile})
        stop.set()
        await running
    assert isinstance(relay.transport, RedisTransport)
    assert (await pipeline.verify(banca_id)).links_count == 2


async def test_a_queue_that_is_gone_refuses_and_the_next_try_makes_it_again(rabbitmq_pipeline: Pipeline) -> None:
    pipeline = rabbitmq_pipeline
    banca_id = await pipeline.banca()
    transport = RabbitTransport(pipeline.place.amqp_url or "", queues=[pipeline.queue])
    pipeline.transports.append(transport)
    relay = pipeline.relay(transport)
    await pipeline.sale(banca_id)
    assert await relay.run_once() == 1
    assert transport._connection is not None
    channel = await transport._connection.channel()
    await channel.queue_delete(pipeline.queue)
    await channel.close()
    lost = await pipeline.sale(banca_id)
    with pytest.raises(BrokerUnavailableError, match="NO_ROUTE"):
        await relay.run_once()
    assert (await pipeline.events())[lost]["published_at"] is None
    with pipeline.worker():
        assert await relay.run_once() == 1
        await pipeline.await_done({lost})


async def test_a_connection_that_was_cut_is_made_again(rabbitmq_pipeline: Pipeline) -> None:
    banca_id = await rabbitmq_pipeline.banca()
    transport = RabbitTransport(rabbitmq_pipeline.place.amqp_url or "", queues=[rabbitmq_pipeline.queue])
    rabbitmq_pipeline.transports.append(transport)
    relay = rabbitmq_pipeline.relay(transport)
    for _ in range(2):
        await rabbitmq_pipeline.sale(banca_id)
        assert await relay.run_once() == 1
        assert transport._connection is not None
        await transport._connection.close()
    assert rabbitmq_pipeline.queued() == 2


async def test_a_broker_that_is_not_there_refuses_in_time(redis_pipeline: Pipeline) -> None:
    banca_id = await redis_pipeline.banca()
    event_id = await redis_pipeline.sale(banca_id)
    transport = RabbitTransport("amqp://guest:guest@127.0.0.1:1/", queues=[])
    with pytest.raises(BrokerUnavailableError):
        await redis_pipeline.relay(transport).run_once()
    assert (await redis_pipeline.events())[event_id]["published_at"] is None
