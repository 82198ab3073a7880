"""Histories of an installation: a server that does not tell the one that was known says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from cli import restored
from cli.postgres import EmbeddedPostgres
from core.migrations import migrate
from tests.databases import API_PASSWORD, WORKER_PASSWORD, DatabaseStock, TestDatabase, ask, database_of, in_server
from tests.standby import Standby

HISTORY = "SELECT installation_history()"


async def test_roles_read_the_history_and_only_the_owner_begins_one(database: TestDatabase) -> None:
    histories = {await ask(url, HISTORY) for url in (database.owner_url, database.api_url, database.worker_url)}
    assert len(histories) == 1
    for url in (database.api_url, database.worker_url):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(url, "SELECT begin_history(0)")


async def test_a_copy_of_a_database_tells_another_history(
    server_url: str, stock: DatabaseStock, database: TestDatabase
) -> None:
    before, name = await ask(database.owner_url, HISTORY), await ask(database.owner_url, "SELECT current_database()")
    await in_server(server_url, f"CREATE DATABASE {name}_copy TEMPLATE {name}")
    copied = await ask(database_of(server_url, f"{name}_copy"), HISTORY)
    stock.give_back(f"{name}_copy")
    assert str(copied).partition(".")[0] == str(before).partition(".")[0]
    assert copied != before


async def test_the_command_begins_a_history_and_passes_over_the_numbers_of_the_events_that_are_gone(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.owner_url)
    before, last = await ask(database.owner_url, HISTORY), await ask(database.owner_url, "SELECT nextval('outbox_id')")
    assert await asyncio.to_thread(restored.run, data=tmp_path) == 0
    after = await ask(database.owner_url, HISTORY)
    assert after != before
    assert str(after) in capsys.readouterr().out
    assert await ask(database.owner_url, "SELECT nextval('outbox_id')") == int(str(last)) + 2 + restored.NUMBERS_SKIPPED


@pytest.mark.timeout(120)
async def test_a_server_that_goes_on_from_a_copy_of_another_tells_another_history_at_once(tmp_path: Path) -> None:
    """As a recovery to a point in time ends: with a promotion."""
    primary = EmbeddedPostgres(tmp_path / "primary", settings={"fsync": "off"})
    standby = Standby(tmp_path / "standby", primary)
    with primary:
        await migrate(primary.owner_url, api_password=API_PASSWORD, worker_password=WORKER_PASSWORD)
        with standby:
            known = await ask(primary.owner_url, HISTORY)
            assert await ask(standby.owner_url, HISTORY) == known
            assert await ask(standby.owner_url, "SELECT pg_promote()")
            assert await ask(standby.owner_url, HISTORY) != known
            assert await ask(primary.owner_url, HISTORY) == known
    for server in (standby, primary):
        server.remove()
