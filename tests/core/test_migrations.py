"""Migrations beside those who read for long, and beside each other."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from cli import migrate as command
from cli.bound_secrets import Blocked
from core.migrations import MigrationBlockedError, MigrationTooLongError, Patience, migrate
from core.queries import SQL_ROOT
from tests.api.selling import ticket
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

if TYPE_CHECKING:
    Owner = asyncpg.Connection[asyncpg.Record]

HASTY = Patience(lock_timeout_s=0.3, total_s=30, pause_min_s=0.05, pause_max_s=0.05)
# Longer than it takes a busy machine to look who is in the way.
GIVES_UP = Patience(lock_timeout_s=3.0, total_s=3.0, pause_min_s=0.2, pause_max_s=0.2)
ADD_COLUMN = "ALTER TABLE tickets ADD COLUMN trial text;"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The product's SQL, and room for more."""
    for folder in ("migrations", "functions"):
        shutil.copytree(SQL_ROOT / folder, tmp_path / folder)
    return tmp_path


def add_migration(root: Path, text: str, *, name: str = "9000_trial") -> str:
    (root / "migrations" / f"{name}.sql").write_text(text)
    return f"migrations/{name}"


def change_function(root: Path) -> str:
    path = root / "functions" / "auth.sql"
    path.write_text(path.read_text() + "\n-- another text\n")
    return "functions/auth"


@asynccontextmanager
async def reading(database: TestDatabase, *statements: str, name: str = "a long report") -> AsyncIterator[Owner]:
    """Somebody in an open transaction; it ends when the context does."""
    connection = await asyncpg.connect(database.owner_url, server_settings={"application_name": name})
    try:
        await connection.execute("BEGIN")
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


class Told:
    """The lines that a migration tells, and a wait for so many of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.lines) < count:
                self._news.clear()
                await self._news.wait()


async def test_sales_go_on_while_a_migration_waits_for_a_long_reader(
    database: TestDatabase, api: RunningApi, arena: Arena, root: Path
) -> None:
    name, told, pos = add_migration(root, ADD_COLUMN), Told(), Pos(api, arena.seller)
    times: list[float] = []

    async def sell() -> None:
        while True:
            began = time.monotonic()
            answer = await pos.post("/api/v1/tickets", ticket(arena), key=new_key())
            assert answer.status == 201, answer.body
            times.append(time.monotonic() - began)

    async with reading(database, "SELECT count(*) FROM tickets"):
        selling = asyncio.create_task(sell())
        migrating = asyncio.create_task(migrate(database.owner_url, root=root, patience=HASTY, tell=told))
        await told.until(5)
        sold = len(times)
        assert not migrating.done()
        assert not selling.done(), selling.result()
    async with asyncio.timeout(30):
        applied = await migrating
    selling.cancel()
    await asyncio.wait([selling])
    assert applied == [name]
    # Some between any two tries, and none that waited for more than a try; the rest is what a busy machine takes.
    assert sold >= 5
    assert max(times) < HASTY.lock_timeout_s + 2
    assert re.search(r"^migrations/9000_trial waits .*pid \d+ \(a long report, .*, idle in transaction", told.lines[0])


async def test_a_migration_that_must_wait_for_too_long_is_given_up_and_leaves_nothing(
    database: TestDatabase, owner: Owner, root: Path
) -> None:
    name = add_migration(root, f"CREATE TABLE half (id integer); {ADD_COLUMN}")
    async with reading(database, "SELECT count(*) FROM tickets"):
        with pytest.raises(MigrationBlockedError, match=r"9000_trial .*a long report.*SELECT count.*given up after"):
            await migrate(database.owner_url, root=root, patience=GIVES_UP)
    assert await owner.fetchval("SELECT to_regclass('half')") is None
    assert await migrate(database.owner_url, root=root, patience=GIVES_UP) == [name]


async def test_a_function_that_is_replaced_waits_as_little(database: TestDatabase, root: Path) -> None:
    name, told = change_function(root), Told()
    async with reading(database, "DROP FUNCTION outbox_lag", name="by hand"):
        migrating = asyncio.create_task(migrate(database.owner_url, root=root, patience=HASTY, tell=told))
        await told.until(2)
    async with asyncio.timeout(30):
        assert await migrating == [name]
    assert re.search(r"^functions/auth waits .*\(by hand, ", told.lines[0])


async def test_a_migration_gives_way_to_a_sale_that_waits_for_it(
    database: TestDatabase, owner: Owner, root: Path
) -> None:
    """Each waits for what the other holds: the sale gets it, and the migration comes after it."""
    add_migration(root, "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE;")
    told = Told()
    async with reading(database, "LOCK TABLE tickets IN ROW EXCLUSIVE MODE") as sale:
        migrating = asyncio.create_task(migrate(database.owner_url, root=root, patience=HASTY, tell=told))
        await until_waiting(owner, "banca migrate")
        async with asyncio.timeout(10):
            await sale.execute("LOCK TABLE accounts IN ROW EXCLUSIVE MODE")
        await told.until(1)
        await sale.execute("COMMIT")
    async with asyncio.timeout(30):
        assert await migrating == ["migrations/9000_trial"]


async def until_waiting(owner: Owner, application_name: str) -> None:
    async def check() -> bool:
        is_waiting: bool = await owner.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = $1 AND wait_event_type = 'Lock')",
            application_name,
        )
        return is_waiting

    assert await eventually(check)


async def test_of_two_migrations_at_once_one_does_all_and_the_other_finds_nothing_to_do(
    database: TestDatabase, root: Path
) -> None:
    name, told = add_migration(root, ADD_COLUMN), Told()
    async with reading(database, "SELECT count(*) FROM tickets"):
        both = [
            asyncio.create_task(migrate(database.owner_url, root=root, patience=HASTY, tell=told)) for _ in range(2)
        ]
        await told.until(3)
    async with asyncio.timeout(30):
        assert sorted(await asyncio.gather(*both)) == [[], [name]]
    [line] = [line for line in told.lines if line.startswith("another migration runs")]
    assert re.search(r"pid \d+ \(banca migrate, ", line)


async def test_a_migration_does_not_wait_for_another_one_without_end(database: TestDatabase, root: Path) -> None:
    add_migration(root, ADD_COLUMN)
    told = Told()
    async with reading(database, "SELECT count(*) FROM tickets"):
        first = asyncio.create_task(migrate(database.owner_url, root=root, patience=HASTY, tell=told))
        await told.until(1)
        with pytest.raises(MigrationBlockedError, match=r"another migration runs.*banca migrate"):
            await migrate(database.owner_url, root=root, patience=GIVES_UP)
    async with asyncio.timeout(30):
        await first


async def test_a_statement_that_takes_too_long_is_said_to(
    database: TestDatabase, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.migrations.STATEMENT_TIMEOUT_S", 0.2)
    add_migration(root, "SELECT pg_sleep(30);")
    with pytest.raises(MigrationTooLongError, match=r"9000_trial: a statement took longer than 0.2 s"):
        await migrate(database.owner_url, root=root)


async def test_the_command_says_who_is_in_the_way_and_that_it_may_be_tried_again(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Owner
) -> None:
    # The next migrating replaces this function.
    await owner.execute("UPDATE schema_migrations SET checksum = '' WHERE name = 'functions/auth'")
    for setting, value in (
        ("MIGRATION_DATABASE_URL", database.owner_url),
        ("MIGRATION_LOCK_TIMEOUT_MS", "100"),
        ("MIGRATION_WAIT_MAX_S", "0.2"),
    ):
        monkeypatch.setenv(setting, value)
    async with reading(database, "DROP FUNCTION outbox_lag", name="by hand"):
        with pytest.raises(Blocked, match=r"functions/auth .*by hand") as raised:
            await asyncio.to_thread(command.run, data=tmp_path)
    assert raised.value.exit_code == 75
    assert await asyncio.to_thread(command.run, data=tmp_path) == 0
