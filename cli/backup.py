"""`./banca backup`: the database and the secrets without which it is worth little, in a folder.

A dump, not a copy of the server's files (pg_basebackup): it is of this database alone, whatever else the server holds; it
needs no replication right; it goes into an embedded server as into another one, and into the next major version. What it
cannot do is to go back to any moment since: for that a base backup and an archive of the WAL, docs/operate.md.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from cli.backups import DUMP_FILE, Belonging, Grantee, Manifest, finish, part_of, size_text
from cli.bound_secrets import is_master_key_of
from cli.data_directory import DEMO_FILE, MEND_DEMO
from cli.postgres import EmbeddedPostgres
from cli.postgres_places import MEND_STATE
from cli.postgres_tools import run_tool
from cli.private_files import is_locked, read_json_object, write_private_json
from cli.progress import say, step
from cli.stack import LOCK_FILE, RESTORE_SECRETS, SECRETS_FILE, Secrets, Stack, StackNotRunning, camel
from cli.trouble import Trouble, UsageTrouble
from core.queries import sql
from core.setting_values import shown_url
from core.settings import SecretSettings, load_owner_settings, load_secret_settings
from core.version import version_text

POSTGRES_FILE = "postgres.json"
# As secrets.json names it.
MASTER_KEY = "terminalMasterKey"
CONNECT_TIMEOUT_S = 10.0
# A migration that changes a table now holds it; a dump waits for it so long.
LOCK_WAIT = "60s"


def run(directory: Path, *, data: Path) -> int:
    """Back up what MIGRATION_DATABASE_URL or DATABASE_URL names, else the stack in `data`, running or not."""
    target = new_folder(directory)
    data = data.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.draft-", dir=target.parent))
    except OSError as error:
        raise Trouble(f"{target.parent} cannot take a backup: {error.strerror or error}") from error
    try:
        with database_of(data) as owner_url:
            documents = documents_of(data, owner_url)
            with step("dumped", shown_url(owner_url)):
                manifest = asyncio.run(dump(owner_url, draft))
        manifest = manifest.model_copy(update={"files": {**manifest.files, **keep_files(documents, data, draft)}})
        finish(draft, target, manifest)
    except OSError as error:
        raise Trouble(f"the backup cannot be written: {error}") from error
    finally:
        # Ours, and not there any more once it has its name.
        shutil.rmtree(draft, ignore_errors=True)
    size_bytes = sum(part.bytes for part in manifest.files.values())
    print(f"backup of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC in {target}: {size_text(size_bytes)}")
    print(f"try it: ./banca restore --check {target}")
    return 0


def new_folder(directory: Path) -> Path:
    """Where the backup goes. Raises UsageTrouble when something is there."""
    if not directory.name:
        raise UsageTrouble("name a new folder for the backup")
    target = directory.absolute()
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageTrouble(f"{target} is there already: nothing is overwritten, name a new folder")
    return target


@contextmanager
def database_of(data: Path) -> Iterator[str]:
    """The owner's URL of the database; the embedded server of a stack that does not run is started for it."""
    url = load_owner_settings().owner_url
    if url is None and is_locked(data / LOCK_FILE):
        url = Stack.load(data).owner_url
    if url is not None:
        yield url
        return
    if not (data / POSTGRES_FILE).exists():
        raise Trouble(f"{data} has no database to back up; --data or DATABASE_URL names another one")
    with step("started", "PostgreSQL"):
        server = EmbeddedPostgres(data)
        server.start()
    try:
        yield server.owner_url
    finally:
        server.stop()


async def dump(owner_url: str, draft: Path) -> Manifest:
    """Dump the database into the folder; the manifest tells of the same snapshot. Raises Trouble."""
    started_s = time.monotonic()
    try:
        async with snapshot_of(owner_url) as (connection, snapshot):
            facts = await connection.fetchrow(sql("backups/facts"))
            migrations = await connection.fetch(sql("backups/migrations"))
            roles = await connection.fetch(sql("backups/roles"))
            owners = await connection.fetch(sql("backups/owners"))
            await run_tool(
                "pg_dump", owner_url, "--format=custom", f"--lock-wait-timeout={LOCK_WAIT}",
                f"--snapshot={snapshot['name']}", f"--file={draft / DUMP_FILE}",
            )  # fmt: skip
    except asyncpg.UndefinedTableError as error:
        raise Trouble(f"{shown_url(owner_url)} is no database of banca: {error}") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Trouble(f"the database refused: {error}") from error
    assert facts is not None, "there is one installation"
    return Manifest(
        version=version_text(),
        taken_at=snapshot["taken_at"],
        duration_s=round(time.monotonic() - started_s, 3),
        migrations={row["name"]: row["checksum"] for row in migrations},
        roles=[Grantee(**dict(row)) for row in roles],
        belongings=[Belonging(kind=row["kind"], identity=row["identity"], owner=row["owner"]) for row in owners],
        files={DUMP_FILE: part_of(draft / DUMP_FILE)},
        **facts,
    )


@asynccontextmanager
async def snapshot_of(owner_url: str) -> AsyncIterator[tuple[Any, Any]]:
    """A connection in a transaction that others may read the same snapshot of, and what it is called."""
    connection = await asyncpg.connect(owner_url, timeout=CONNECT_TIMEOUT_S, statement_cache_size=0)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # It does nothing while the dump is made.
            await connection.execute(sql("migrations/no_idle_timeout"))
            yield connection, await connection.fetchrow(sql("backups/snapshot"))
    finally:
        await connection.close()


def documents_of(data: Path, owner_url: str) -> dict[str, dict[str, Any]]:
    """What is kept beside the dump, by file name; of a data directory that is another database's, nothing.

    Raises Trouble when the environment has no master key and the directory's is another database's.
    """
    secrets = secrets_in_use(data)
    documents = {
        SECRETS_FILE: secrets,
        POSTGRES_FILE: read_json_object(data / POSTGRES_FILE, mend=MEND_STATE),
        DEMO_FILE: read_json_object(data / DEMO_FILE, mend=MEND_DEMO),
    }
    if load_owner_settings().owner_url is None:
        return documents
    # The database is not this directory's server, and perhaps not this directory's at all.
    del documents[POSTGRES_FILE]
    if MASTER_KEY in secrets and not is_master_key_of(owner_url, secrets[MASTER_KEY]):
        raise Trouble(
            f"the terminals' master key of {data / SECRETS_FILE}, or of the environment, is not that of"
            f" {shown_url(owner_url)}: give its key as TERMINAL_MASTER_KEY, and its data directory, or an empty one, as"
            " --data"
        )
    kept = read_json_object(data / SECRETS_FILE, mend=RESTORE_SECRETS)
    if MASTER_KEY in kept and not is_master_key_of(owner_url, kept[MASTER_KEY]):
        say(f"{data} is another database's: of it nothing is kept")
        given = load_secret_settings().model_dump()
        return {SECRETS_FILE: {camel(name): value for name, value in given.items() if value is not None}}
    return documents


def keep_files(documents: dict[str, dict[str, Any]], data: Path, draft: Path) -> dict[str, Any]:
    """Write what stands beside the database; says so when the terminals' key is not among it."""
    kept = {name: document for name, document in documents.items() if document}
    for name, document in kept.items():
        write_private_json(draft / name, document)
    if MASTER_KEY not in kept.get(SECRETS_FILE, {}):
        say(
            f"the terminals' master key is not in this backup: neither {data / SECRETS_FILE} nor the environment has it."
            " Keep it yourself: without it every terminal needs a new secret"
        )
    return {name: part_of(draft / name) for name in kept}


def secrets_in_use(data: Path) -> dict[str, str]:
    """What is kept, and over it what the running stack, or else our environment, was given instead."""
    kept: dict[str, str] = read_json_object(data / SECRETS_FILE, mend=RESTORE_SECRETS)
    given = {camel(name): value for name, value in load_secret_settings().model_dump().items() if value is not None}
    try:
        stack = Stack.load(data)
    except StackNotRunning:
        return kept | given
    running = {camel(name): getattr(stack.secrets, name) for name in Secrets.__dataclass_fields__}
    elsewhere = {name: given[name] for name in given if name not in running}
    return kept | running | elsewhere


def secret_names() -> list[str]:
    """Settings that a backup keeps and a data directory does not."""
    own = set(Secrets.__dataclass_fields__)
    return [name for name in SecretSettings.model_fields if name not in own]
