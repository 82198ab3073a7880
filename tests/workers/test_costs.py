"""What the pipeline costs: how often it asks the database, with which plans, and how it packs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from dramatiq.common import dq_name

from core.database import Database, create_pool
from core.events import Event, to_wire
from core.queries import sql
from tests.workers.pipeline import Pipeline
from tests.workers.test_outbox import Slow
from workers.audit import Auditor
from workers.broker import REDIS_POLL_MS, is_live
from workers.consumers import alone, queue_name
from workers.worker import IDLE_MS

BANCAS, EVENTS_EACH, MESSAGES = 5, 20, 10
HOT_TABLES = ("outbox", "inbox", "activity_log", "audit_chain")
QUEUE = queue_name("tests", "audit")


async def sell(pipeline: Pipeline, bancas: list[UUID], *, events_each: int) -> list[dict[str, object]]:
    """Sales of all the bancas in turns, as a message would carry them."""
    ids = [await pipeline.sale(banca_id) for _ in range(events_each) for banca_id in bancas]
    rows = await pipeline.owner.fetch(
        "SELECT id, banca_id, type, payload::text AS payload, created_at FROM outbox WHERE id = ANY ($1)", ids
    )
    return [to_wire(Event(**row)) for row in rows]


@pytest.fixture
async def auditor(redis_pipeline: Pipeline) -> AsyncIterator[Auditor]:
    """On one connection."""
    pool = await create_pool(redis_pipeline.worker_url, size=1, timeout_s=10, application_name="tests")
    yield Auditor(Database(pool, acquire_timeout_s=10))
    await pool.close()


async def test_the_events_of_a_message_are_one_statement_on_the_wire_whatever_their_bancas(
    redis_pipeline: Pipeline, auditor: Auditor
) -> None:
    bancas = [await redis_pipeline.banca() for _ in range(3)]
    await auditor.record(await sell(redis_pipeline, bancas, events_each=1))
    statements: list[str] = []

    def listen(record: Any) -> None:
        statements.append(record.query)

    async with auditor.database.connection() as connection:
        connection.add_query_logger(listen)
    await auditor.record(await sell(redis_pipeline, bancas, events_each=2))
    assert [statement == sql("audit/record_events") for statement in statements] == [True]
    for banca_id in bancas:
        report = await redis_pipeline.verify(banca_id)
        assert (report.links_count, report.first_break) == (3, None)


async def test_plans_made_on_empty_analysed_tables_stay_good_while_the_trail_grows(
    redis_pipeline: Pipeline, auditor: Auditor
) -> None:
    pipeline = redis_pipeline
    await pipeline.owner.execute("ANALYZE")
    bancas = [await pipeline.banca() for _ in range(BANCAS)]
    messages = [await sell(pipeline, bancas, events_each=EVENTS_EACH) for _ in range(MESSAGES)]
    before = await scans(pipeline.owner)
    for message in messages:
        await auditor.record(message)
    # The statistics of a session are sent when it ends.
    await auditor.database.pool.close()
    assert await scans(pipeline.owner) == before
    assert len(await pipeline.done()) == BANCAS * EVENTS_EACH * MESSAGES


async def scans(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    """How often each table, partitions summed, was read as a whole."""
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    return {
        table: await owner.fetchval(
            "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_user_tables"
            " WHERE relname = $1 OR relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$')",
            table,
        )
        for table in HOT_TABLES
    }


async def test_a_bancas_events_travel_together_and_in_their_order(redis_pipeline: Pipeline) -> None:
    bancas = [await redis_pipeline.banca() for _ in range(3)]
    sales = [(banca_id, await redis_pipeline.sale(banca_id)) for _ in range(4) for banca_id in bancas]
    transport = Slow()
    transport.confirmed.set()
    assert await redis_pipeline.relay(transport).run_once() == len(sales)
    banca_of = {event_id: banca_id for banca_id, event_id in sales}
    groups = [(banca_id, list(ids)) for banca_id, ids in groupby(transport.event_ids, key=banca_of.__getitem__)]
    assert len(groups) == len(bancas)
    for banca_id, ids in groups:
        assert ids == [event_id for owner, event_id in sales if owner == banca_id]


@pytest.mark.parametrize("queue", [QUEUE, dq_name(QUEUE), alone(QUEUE), dq_name(alone(QUEUE))])
async def test_redis_is_asked_often_only_where_the_relay_puts_its_messages(
    redis_pipeline: Pipeline, queue: str
) -> None:
    broker = redis_pipeline.broker()
    consumer = broker.consume(queue, prefetch=8, timeout=IDLE_MS)
    broker.close()
    assert is_live(queue) == (queue == QUEUE)
    assert consumer.timeout == (REDIS_POLL_MS if queue == QUEUE else IDLE_MS)
