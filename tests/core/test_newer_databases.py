"""A database of a newer version: older programs put nothing back, and run on it unless it says that they cannot."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core.installation import ProgramOutdatedError, require_program
from core.migrations import DatabaseNewerError, migrate, newest_migration
from core.queries import SQL_ROOT
from core.settings import SETTINGS_EXIT_CODE, Settings
from tests.api.test_database_troubles import until_ready
from tests.databases import TestDatabase
from tests.running_api import RunningApi
from tests.workers.pipeline import ROOT

if TYPE_CHECKING:
    Owner = asyncpg.Connection[asyncpg.Record]

PROGRAMS = ("api", "workers", "workers.relay", "workers.scheduler")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The product's SQL of a later release: a migration more, and another function."""
    for folder in ("migrations", "functions"):
        shutil.copytree(SQL_ROOT / folder, tmp_path / "newer" / folder)
    root = tmp_path / "newer"
    (root / "migrations" / "9000_later.sql").write_text("CREATE TABLE later (id integer);\n")
    function = root / "functions" / "probes.sql"
    function.write_text(function.read_text() + "\n-- as it is later\n")
    return root


def say_programs_from(root: Path, number: int) -> None:
    path = root / "migrations" / "9000_later.sql"
    path.write_text(f"-- What a later release does.\n-- Programs from: {number:04d}\n{path.read_text()}")


async def ledger(owner: Owner) -> dict[str, str]:
    return {row["name"]: row["checksum"] for row in await owner.fetch("SELECT name, checksum FROM schema_migrations")}


async def test_an_older_program_touches_nothing_of_a_newer_database(
    database: TestDatabase, owner: Owner, newer: Path
) -> None:
    await migrate(database.owner_url, root=newer)
    before = await ledger(owner)
    with pytest.raises(DatabaseNewerError, match=r"migrations/9000_later.*up to 00\d\d only.*restore a backup"):
        await migrate(database.owner_url)
    assert await ledger(owner) == before
    assert await migrate(database.owner_url, root=newer) == []


async def test_the_command_refuses_in_one_line(database: TestDatabase, newer: Path, tmp_path: Path) -> None:
    await migrate(database.owner_url, root=newer)
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli", "migrate", "--data", str(tmp_path / "none")],
        env={**os.environ, "MIGRATION_DATABASE_URL": database.owner_url}, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "a newer version made this database" in run.stderr


async def test_a_ledger_of_before_the_mark_takes_it(database: TestDatabase, owner: Owner, newer: Path) -> None:
    await owner.execute("ALTER TABLE schema_migrations DROP COLUMN programs_from")
    say_programs_from(newer, 9000)
    assert "migrations/9000_later" in await migrate(database.owner_url, root=newer)
    assert await owner.fetchval("SELECT programs_from()") == 9000


@pytest.mark.parametrize(
    ("number", "is_ready"), [(None, True), (newest_migration(), True), (newest_migration() + 1, False)]
)
async def test_a_process_stays_ready_on_a_newer_database_unless_it_cannot_run_on_it(
    database: TestDatabase, settings: Settings, newer: Path, number: int | None, is_ready: bool
) -> None:
    if number is not None:
        say_programs_from(newer, number)
    async with RunningApi(settings) as api:
        await until_ready(api, (200, None))
        await migrate(database.owner_url, root=newer)
        await asyncio.sleep(1.1)  # a report is a second old at the most
        await until_ready(api, (200, None) if is_ready else (503, "outdated"))
    if not is_ready:
        with pytest.raises(ProgramOutdatedError):
            async with RunningApi(settings):
                pass


def start(module: str, database: TestDatabase, settings: Settings) -> subprocess.CompletedProcess[str]:
    url = database.api_url if module == "api" else database.worker_url
    secrets = {
        name.upper(): getattr(settings, name).get_secret_value()
        for name in ("jwt_access_secret", "jwt_refresh_secret", "terminal_master_key")
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", module],
        env={**os.environ, **secrets, "DATABASE_URL": url, "REDIS_URL": settings.redis_url or "", "PORT": "0"},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("module", PROGRAMS)
async def test_a_process_that_cannot_run_on_the_database_ends_with_one_line(
    database: TestDatabase, settings: Settings, newer: Path, module: str
) -> None:
    say_programs_from(newer, 9000)
    await migrate(database.owner_url, root=newer)
    ended = await asyncio.to_thread(start, module, database, settings)
    assert ended.returncode == SETTINGS_EXIT_CODE
    assert ": a newer version made this database, and only programs" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_program_may_run_on_what_says_nothing_or_what_it_knows() -> None:
    require_program(0)
    require_program(newest_migration())
    with pytest.raises(ProgramOutdatedError, match="9999"):
        require_program(9999)
