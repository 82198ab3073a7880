"""A pipeline of its own for each test: a database, and a broker that is told apart by the instance id."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from pipeline import BrokerPlace, Pipeline

from cli.postgres import EmbeddedPostgres
from cli.stack import with_login
from cli.valkey import EmbeddedValkey
from core.database import Database, create_pool
from core.migrations import migrate
from workers.broker import queue_declarations
from workers.consumers import CONSUMERS, queue_name

RABBITMQ_USUAL_URL = "amqp://guest:guest@127.0.0.1:5672/"
WORKER_PASSWORD = "worker-of-the-tests"
TEMPLATE = f"pipeline_template_{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its owner may create databases."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    postgres.start()
    yield postgres.owner_url
    postgres.stop()


@pytest.fixture(scope="session")
async def template_database(server_url: str) -> AsyncIterator[str]:
    await in_server(server_url, f"CREATE DATABASE {TEMPLATE}")
    await migrate(database_of(server_url, TEMPLATE), worker_password=WORKER_PASSWORD)
    yield TEMPLATE
    await in_server(server_url, f"DROP DATABASE {TEMPLATE} WITH (FORCE)")


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey.redis_url
    valkey.stop()


@pytest.fixture(scope="session")
async def rabbitmq_url() -> str:
    url = os.environ.get("AMQP_URL") or RABBITMQ_USUAL_URL
    try:
        await (await aio_pika.connect(url, timeout=3)).close()
    except OSError as error:
        if os.environ.get("REQUIRE_RABBITMQ") == "1":
            pytest.fail(f"RabbitMQ does not answer at {url}: {error}")
        pytest.skip(f"RabbitMQ does not answer at {url}: {error}")
    return url


@pytest.fixture
async def redis_pipeline(server_url: str, template_database: str, valkey_url: str) -> AsyncIterator[Pipeline]:
    async for pipeline in pipelines(server_url, BrokerPlace(redis_url=valkey_url, amqp_url=None)):
        yield pipeline


@pytest.fixture
async def rabbitmq_pipeline(server_url: str, template_database: str, rabbitmq_url: str) -> AsyncIterator[Pipeline]:
    async for pipeline in pipelines(server_url, BrokerPlace(redis_url=None, amqp_url=rabbitmq_url)):
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


async def pipelines(server_url: str, place: BrokerPlace) -> AsyncIterator[Pipeline]:
    name = f"pipeline_{secrets.token_hex(6)}"
    await in_server(server_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    owner_url = database_of(server_url, name)
    worker_url = with_login(owner_url, user="banca_worker", password=WORKER_PASSWORD)
    owner = await asyncpg.connect(owner_url)
    instance_id = await owner.fetchval("UPDATE instance SET id = $1 RETURNING id", secrets.token_hex(4))
    pool = await create_pool(worker_url, size=3, timeout_s=10, application_name="tests")
    pipeline = Pipeline(owner, worker_url, Database(pool, acquire_timeout_s=10), place, instance_id)
    try:
        yield pipeline
    finally:
        await pipeline.close()
        await pool.close()
        await owner.close()
        await in_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def delete_queues(url: str, instance_id: str) -> None:
    connection = await aio_pika.connect(url, timeout=3)
    channel = await connection.channel()
    for consumer in CONSUMERS:
        for name in queue_declarations(queue_name(instance_id, consumer)):
            await channel.queue_delete(name)
    await connection.close()


async def in_server(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def database_of(server_url: str, name: str) -> str:
    return server_url.rpartition("/")[0] + f"/{name}"
