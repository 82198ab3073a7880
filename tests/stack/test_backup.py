"""Backups of a real database that sells, put back into servers of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli import backup, restore
from cli.backups import DUMP_FILE, MANIFEST_FILE, Manifest, part_of, read_backup, size_text
from cli.data_directory import RESTORING_FILE, lock
from cli.postgres import EmbeddedPostgres
from cli.stack import ROOT, SECRETS_FILE, with_login
from cli.trouble import Trouble, UsageTrouble
from core.books import check_books
from core.queries import sql
from core.settings import API_ROLE
from tests.arena import Arena
from tests.databases import TestDatabase, database_of, in_server
from tests.databases import ask as ask_one
from tests.pos import Pos, new_key
from tests.running_api import RunningApi
from tests.stack.up import own_environment
from tests.workers.pipeline import eventually

COUNTS = """
SELECT json_build_object('tickets', (SELECT count(*) FROM tickets), 'transfers', (SELECT count(*) FROM transfers),
                         'outbox', (SELECT count(*) FROM outbox), 'bancas', (SELECT count(*) FROM bancas),
                         'users', (SELECT count(*) FROM users), 'terminals', (SELECT count(*) FROM terminals))::text
"""
PRIVILEGES = """
SELECT json_agg(x ORDER BY x)::text FROM (
    SELECT i.type || ' ' || i.identity || ' ' || r.rolname || ' ' || d.deptype::text AS x
      FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
     CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
     WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) y
"""
ROLES = """
SELECT json_agg(x ORDER BY x)::text FROM (
    SELECT r.rolname || ' ' || setting AS x
      FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) setting
     WHERE s.setdatabase = 0
    UNION ALL
    SELECT m.member::regrole::text || ' is ' || m.roleid::regrole::text FROM pg_auth_members m
     WHERE m.member::regrole::text LIKE 'banca%') y
"""
SECRETS = {
    "jwtAccessSecret": "a" * 32,
    "jwtRefreshSecret": "r" * 32,
    "terminalMasterKey": "m" * 32,
    "apiDatabasePassword": "api-of-the-backup",
    "workerDatabasePassword": "worker-of-the-backup",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the secrets of a stack, on the database of the test."""
    place = tmp_path / "data"
    place.mkdir()
    (place / SECRETS_FILE).write_text(json.dumps(SECRETS))
    (place / "demo.json").write_text('{"terminalId": "t"}')
    return place


@pytest.fixture
async def sold(api: RunningApi, arena: Arena) -> Arena:
    """Two tickets, whose events nobody has published yet."""
    for seller in arena.sellers:
        ticket = {
            "sorteoId": str(arena.sorteo_id),
            "jugadas": [{"type": "NUMERO", "number": "07", "amount": "500.00"}],
        }
        assert (await Pos(api, seller).post("/api/v1/tickets", ticket, key=new_key())).status == 201
    return arena


@pytest.fixture
async def made(
    sold: Arena, database: TestDatabase, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A backup of the database with two tickets; the environment names no database any more."""
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.owner_url)
    target = tmp_path / "backups" / "first"
    assert await asyncio.to_thread(backup.run, target, data=data) == 0
    for name in ("MIGRATION_DATABASE_URL", "DATABASE_URL", "DATABASE_DIRECT_URL"):
        monkeypatch.delenv(name, raising=False)
    return target


async def ask(url: str, query: str) -> Any:
    return await ask_one(url, query)


async def banca(*arguments: object, **settings: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of a command: it starts servers, which a thread must not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *map(str, arguments)),
        cwd=ROOT, env={**own_environment(), **settings}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


def test_a_backup_is_private_and_says_what_is_in_it(made: Path) -> None:
    manifest = read_backup(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {path.name for path in made.iterdir()} == {DUMP_FILE, MANIFEST_FILE, SECRETS_FILE, "demo.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o600}
    assert json.loads((made / SECRETS_FILE).read_text()) == SECRETS
    assert len(manifest.migrations) == len(list((ROOT / "sql" / "migrations").glob("*.sql")))
    assert manifest.files[DUMP_FILE] == part_of(made / DUMP_FILE)
    # Nothing of the draft is left beside it.
    assert list(made.parent.iterdir()) == [made]


async def test_a_backup_that_is_tried_leaves_nothing_behind(made: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    data = tmp_path / "new"
    # It is about the scratch server, whatever the environment names.
    elsewhere = {"TMPDIR": str(scratch), "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    code, said, complained = await banca("restore", "--check", made, "--data", data, **elsewhere)
    assert code == 0, complained
    assert "The books are right" in said
    assert list(scratch.iterdir()) == []
    assert not data.exists()


async def test_a_restored_stack_is_the_same_with_another_history(
    made: Path, database: TestDatabase, tmp_path: Path
) -> None:
    data = tmp_path / "new"
    code, _, complained = await banca("restore", made, "--data", data)
    assert code == 0, complained
    assert json.loads((data / SECRETS_FILE).read_text()) == SECRETS
    assert not (data / RESTORING_FILE).exists()
    server = EmbeddedPostgres(data)
    server.start()
    try:
        assert await ask(server.owner_url, COUNTS) == await ask(database.owner_url, COUNTS)
        assert json.loads(await ask(database.owner_url, COUNTS))["tickets"] == 2
        # Who owns and may do what, to the last function.
        assert await ask(server.owner_url, PRIVILEGES) == await ask(database.owner_url, PRIVILEGES)
        # Roles' settings and memberships, which no dump has.
        assert await ask(server.owner_url, ROLES) == await ask(database.owner_url, ROLES)
        assert "banca_api" in await ask(server.owner_url, ROLES)
        history = sql("installation/history")
        was, now = await ask(database.owner_url, history), await ask(server.owner_url, history)
        assert was.partition(".")[0] == now.partition(".")[0]
        assert was != now
        gone = "SELECT last_value FROM outbox_id"
        assert await ask(server.owner_url, gone) > await ask(database.owner_url, gone) + 999_999_999
        api_url = with_login(server.owner_url, user=API_ROLE, password=SECRETS["apiDatabasePassword"])
        assert await ask(api_url, "SELECT current_user") == API_ROLE
    finally:
        server.stop()
        server.remove()


async def test_a_backup_goes_into_an_empty_database_and_into_no_other(
    made: Path, server_url: str, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Roles are the server's, and other tests log in with the passwords that theirs have.
    manifest = Manifest.model_validate_json((made / MANIFEST_FILE).read_bytes())
    kept = {name: part for name, part in manifest.files.items() if name != SECRETS_FILE}
    (made / MANIFEST_FILE).write_text(manifest.model_copy(update={"files": kept}).model_dump_json(by_alias=True))
    name = f"restored_{os.getpid()}"
    url = database_of(server_url, name)
    await in_server(server_url, f"CREATE DATABASE {name}")
    try:
        monkeypatch.setenv("DATABASE_URL", url)
        assert await asyncio.to_thread(restore.run, made, data=tmp_path / "new", check=False) == 0
        assert await ask(url, COUNTS) == await ask(database.owner_url, COUNTS)
        assert await ask(url, PRIVILEGES) == await ask(database.owner_url, PRIVILEGES)
        with pytest.raises(Trouble, match="is not empty: nothing is overwritten"):
            await asyncio.to_thread(restore.run, made, data=tmp_path / "newer", check=False)
        assert not (tmp_path / "newer").exists()
    finally:
        await in_server(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def shorten(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a dump that is cut off": (DUMP_FILE, shorten, "database.dump has .* bytes instead of"),
    "a bit of the dump": (DUMP_FILE, turn_a_bit, "database.dump has another checksum"),
    "a bit of the secrets": (SECRETS_FILE, turn_a_bit, "secrets.json has another checksum"),
    "no secrets": (SECRETS_FILE, Path.unlink, "secrets.json is missing"),
    "a manifest that is cut off": (MANIFEST_FILE, shorten, "manifest.json is damaged or of another release"),
    "no manifest": (MANIFEST_FILE, Path.unlink, "is no backup, or one that was cut off"),
}


async def test_what_is_damaged_is_refused_before_anything_is_made(made: Path, tmp_path: Path) -> None:
    for file, damage, said in DAMAGES.values():
        whole = (made / file).read_bytes()
        damage(made / file)
        with pytest.raises(Trouble, match=said):
            await asyncio.to_thread(restore.run, made, data=tmp_path / "new", check=False)
        (made / file).write_bytes(whole)
        assert not (tmp_path / "new").exists()
    assert read_backup(made)


@pytest.mark.parametrize(
    ("migrations", "said"),
    [
        ({"migrations/9999_of_tomorrow": "x"}, r"of a newer release .*9999_of_tomorrow"),
        ({"migrations/0001_bancas": "x"}, r"of another program: migrations/0001_bancas"),
    ],
)
def test_what_this_program_cannot_go_on_from_is_refused(
    made: Path, tmp_path: Path, migrations: dict[str, str], said: str
) -> None:
    manifest = read_backup(made)
    changed = manifest.model_copy(update={"migrations": {**manifest.migrations, **migrations}})
    (made / MANIFEST_FILE).write_text(changed.model_dump_json(by_alias=True))
    with pytest.raises(Trouble, match=said):
        restore.run(made, data=tmp_path / "new", check=False)
    assert not (tmp_path / "new").exists()


async def test_a_dump_that_cannot_be_loaded_leaves_the_data_directory_as_it_was(made: Path, tmp_path: Path) -> None:
    (made / DUMP_FILE).write_bytes(b"PGDMP and no more")
    manifest = read_manifest(made)
    files = {**manifest.files, DUMP_FILE: part_of(made / DUMP_FILE)}
    (made / MANIFEST_FILE).write_text(manifest.model_copy(update={"files": files}).model_dump_json(by_alias=True))
    (tmp_path / "there").mkdir()
    for data in (tmp_path / "there", tmp_path / "new"):
        code, _, complained = await banca("restore", made, "--data", data)
        assert code == 1
        assert complained.splitlines()[-1].startswith("banca: pg_restore failed: ")
    assert list((tmp_path / "there").iterdir()) == []
    assert not (tmp_path / "new").exists()


def read_manifest(made: Path) -> Manifest:
    return Manifest.model_validate_json((made / MANIFEST_FILE).read_bytes())


def test_nothing_is_overwritten(made: Path, data: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageTrouble, match="is there already: nothing is overwritten"):
        backup.run(made, data=data)
    with pytest.raises(UsageTrouble, match="is not empty: nothing is overwritten"):
        restore.run(made, data=data, check=False)
    (tmp_path / "file").touch()
    with pytest.raises(UsageTrouble, match="is there already"):
        backup.run(tmp_path / "file", data=data)
    with pytest.raises(Trouble, match="cannot take a backup"):
        backup.run(tmp_path / "file" / "backup", data=data)
    assert sorted(tmp_path.rglob("*")) == [*before, tmp_path / "file"]


def test_without_a_database_there_is_nothing_to_back_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MIGRATION_DATABASE_URL", "DATABASE_URL", "DATABASE_DIRECT_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Trouble, match="has no database to back up"):
        backup.run(tmp_path / "backups" / "first", data=data)
    assert list((tmp_path / "backups").iterdir()) == []


async def test_a_backup_that_is_killed_half_way_is_never_taken_for_one(
    sold: Arena, database: TestDatabase, data: Path, tmp_path: Path, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    target = tmp_path / "backups" / "first"
    async with owner.transaction():
        # The dump waits for it.
        await owner.execute("LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli", "backup", str(target), "--data", str(data)),
            cwd=ROOT, env={**os.environ, "MIGRATION_DATABASE_URL": database.owner_url}, start_new_session=True,
        )  # fmt: skip
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'"
        )

        async def waits() -> bool:
            # Other tests have databases in this server, too.
            return bool(await ask(database.owner_url, f"{waiting} AND datname = current_database()"))

        await eventually(waits)
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    assert not target.exists()
    [draft] = target.parent.iterdir()
    with pytest.raises(Trouble, match="is no backup, or one that was cut off"):
        read_backup(draft)


async def test_a_restore_that_was_cut_off_is_never_started(made: Path, tmp_path: Path) -> None:
    data = tmp_path / "new"
    data.mkdir()
    (data / RESTORING_FILE).touch()
    with pytest.raises(Trouble, match="was cut off"):
        lock(data, fresh=False)


@pytest.mark.parametrize("arguments", [("backup", "/proc/none/b"), ("restore", "--check", "DIR")])
async def test_a_place_where_nothing_can_be_made_is_told_in_a_line(
    made: Path, data: Path, database: TestDatabase, arguments: tuple[str, ...]
) -> None:
    words = [str(made) if word == "DIR" else word for word in arguments]
    elsewhere = {"TMPDIR": "/proc/none", "MIGRATION_DATABASE_URL": database.owner_url}
    code, _, complained = await banca(*words, "--data", data, **elsewhere)
    assert code == 1
    assert "Traceback" not in complained
    assert "/proc/none" in complained.splitlines()[-1]


async def test_findings_are_told_and_the_data_is_there_all_the_same(
    sold: Arena,
    database: TestDatabase,
    owner: asyncpg.Connection[asyncpg.Record],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await owner.execute("UPDATE accounts SET balance_cents = balance_cents - 1 WHERE id = $1", sold.seller.id)
    assert (await check_books(database.owner_url)).findings
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.owner_url)
    assert await asyncio.to_thread(backup.run, tmp_path / "first", data=data) == 0
    code, said, _ = await banca("restore", "--check", tmp_path / "first")
    assert code == 1
    assert "account_balances: " in said


def test_a_size_is_told_in_the_unit_that_fits() -> None:
    assert [size_text(size) for size in (0, 999, 1_000, 12_345_678)] == ["0 bytes", "999 bytes", "1.0 kB", "12.3 MB"]
