"""A pipeline of its own for each test: a database, and a broker that is told apart by the instance id."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from cli.valkey import EmbeddedValkey
from core.database import Database, create_pool
from tests.databases import TestDatabase
from tests.rabbitmq import reachable_rabbitmq
from tests.workers.pipeline import BrokerPlace, Pipeline
from workers.broker import queue_declarations
from workers.consumers import CONSUMERS, queue_name


@pytest.fixture(scope="session")
async def rabbitmq_url() -> str:
    return await reachable_rabbitmq()


@pytest.fixture
async def redis_pipeline(
    database: TestDatabase, owner: asyncpg.Connection[asyncpg.Record], valkey_url: str
) -> AsyncIterator[Pipeline]:
    async for pipeline in pipelines(database, owner, BrokerPlace(redis_url=valkey_url, amqp_url=None)):
        yield pipeline


@pytest.fixture
async def rabbitmq_pipeline(
    database: TestDatabase, owner: asyncpg.Connection[asyncpg.Record], rabbitmq_url: str
) -> AsyncIterator[Pipeline]:
    async for pipeline in pipelines(database, owner, BrokerPlace(redis_url=None, amqp_url=rabbitmq_url)):
        yield pipeline
        await delete_queues(rabbitmq_url, pipeline.instance_id)


@pytest.fixture(params=["redis", "rabbitmq"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """The same contract on both transports."""
    chosen: Pipeline = request.getfixturevalue(f"{request.param}_pipeline")
    return chosen


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """One that the test may stop and start."""
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    yield valkey
    valkey.stop()


async def pipelines(
    database: TestDatabase, owner: asyncpg.Connection[asyncpg.Record], place: BrokerPlace
) -> AsyncIterator[Pipeline]:
    # Databases that are copies of one template would share their queues.
    instance_id = await owner.fetchval("UPDATE instance SET id = $1 RETURNING id", secrets.token_hex(4))
    pool = await create_pool(database.worker_url, size=3, timeout_s=10, application_name="tests")
    pipeline = Pipeline(owner, database.worker_url, Database(pool, acquire_timeout_s=10), place, instance_id)
    try:
        yield pipeline
    finally:
        await pipeline.close()
        await pool.close()


async def delete_queues(url: str, instance_id: str) -> None:
    connection = await aio_pika.connect(url, timeout=3)
    channel = await connection.channel()
    for consumer in CONSUMERS:
        for name in queue_declarations(queue_name(instance_id, consumer)):
            await channel.queue_delete(name)
    await connection.close()
