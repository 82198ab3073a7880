from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli import migrate
from cli.postgres import EmbeddedPostgres
from core.migrations import migrate as migrate_tables
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase, allow_logins

ROLES = {
    "API_DATABASE_PASSWORD": ("banca_api", API_PASSWORD),
    "WORKER_DATABASE_PASSWORD": ("banca_worker", WORKER_PASSWORD),
}


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestDatabase]:
    """The only one of its server: others would have a say in its roles."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("server"), settings={"fsync": "off"}) as server:
        await migrate_tables(server.owner_url)
        await allow_logins(server.owner_url)
        yield TestDatabase(server.owner_url)
    server.remove()


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database.owner_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("given", [set(), {"API_DATABASE_PASSWORD"}, set(ROLES)], ids=len)
async def test_migrating_sets_the_passwords_that_it_is_given_and_no_other(
    database: TestDatabase,
    owner: asyncpg.Connection[asyncpg.Record],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: set[str],
) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.owner_url)
    for name, (_, password) in ROLES.items():
        monkeypatch.setenv(name, password) if name in given else monkeypatch.delenv(name, raising=False)
    before = await verifiers(owner)
    assert await asyncio.to_thread(migrate.run, data=tmp_path) == 0
    after = await verifiers(owner)
    # Even the same password gets another salt.
    assert {role for role in after if after[role] != before[role]} == {ROLES[name][0] for name in given}
    await (await asyncpg.connect(database.api_url)).close()
    await (await asyncpg.connect(database.worker_url)).close()


async def verifiers(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    rows = await owner.fetch(
        "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('banca_api', 'banca_worker')"
    )
    return {row["rolname"]: row["rolpassword"] for row in rows}
