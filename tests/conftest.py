"""Real servers for every test: one PostgreSQL and one Valkey a run, a fresh database a test."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator

import asyncpg
import hypothesis
import pytest

from cli.postgres import EmbeddedPostgres
from cli.valkey import EmbeddedValkey
from core.migrations import migrate
from core.settings import Settings, given
from tests.arena import Arena
from tests.databases import DatabaseStock, TestDatabase, allow_logins, database_of, in_server
from tests.running_api import RunningApi, api_settings

# A deadline would say how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("banca", deadline=None)
hypothesis.settings.load_profile("banca")

# A shell that starts us in the background has interrupts ignored, and processes that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TEMPLATE = f"banca_template_{secrets.token_hex(4)}"
# Roles belong to the cluster: another run on the same server may be giving them passwords at the same moment.
MIGRATION_TRIES = 5


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL 18 whose owner may create databases: BANCA_TEST_DATABASE_URL, or one of our own."""
    if url := given(os.environ, "BANCA_TEST_DATABASE_URL"):
        yield url
        return
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    postgres.start()
    yield postgres.owner_url
    postgres.stop()
    postgres.remove()


@pytest.fixture(scope="session")
async def template_database(server_url: str) -> AsyncIterator[str]:
    """A migrated database to copy: one of our own, or BANCA_TEST_TEMPLATE of the server that was given."""
    if name := os.environ.get("BANCA_TEST_TEMPLATE"):
        yield name
        return
    await in_server(server_url, f"CREATE DATABASE {TEMPLATE}")
    for attempt in range(1, MIGRATION_TRIES + 1):
        try:
            url = database_of(server_url, TEMPLATE)
            await migrate(url)
            await allow_logins(url)
            break
        except asyncpg.InternalServerError:  # tuple concurrently updated
            if attempt == MIGRATION_TRIES:
                raise
            await asyncio.sleep(0.1 * attempt)
    yield TEMPLATE
    await in_server(server_url, f"DROP DATABASE {TEMPLATE} WITH (FORCE)")


@pytest.fixture(scope="session")
async def stock(server_url: str, template_database: str) -> AsyncIterator[DatabaseStock]:
    made = DatabaseStock(server_url, template_database)
    yield made
    await made.clear()


@pytest.fixture
async def database(server_url: str, stock: DatabaseStock) -> AsyncIterator[TestDatabase]:
    """A fresh, migrated database, with a URL for each role."""
    name = await stock.take()
    yield TestDatabase(database_of(server_url, name))
    stock.give_back(name)


@pytest.fixture
def database_url(database: TestDatabase) -> str:
    """The owner's URL of the fresh database."""
    return database.owner_url


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection that may do everything: to arrange, and to look behind the API's back."""
    connection = await asyncpg.connect(database.owner_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey.redis_url
    valkey.stop()


@pytest.fixture
def settings(database: TestDatabase, valkey_url: str) -> Settings:
    """Of an API that logs in as banca_api. Change some: settings.model_copy(update={...})."""
    return api_settings(database_url=database.api_url, redis_url=valkey_url)


@pytest.fixture
async def arena(owner: asyncpg.Connection[asyncpg.Record], settings: Settings) -> Arena:
    """A banca that sells: a ventana, two sellers with terminals and tokens, a loteria, a multiplier, an open sorteo."""
    return await Arena.create(owner, settings)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    """The real application behind a real socket."""
    async with RunningApi(settings) as running:
        yield running
