"""`./banca restore`: a backup, put into a data directory or a database that has nothing in it; or only tried."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from cli.backup import secret_names
from cli.backups import DUMP_FILE, Manifest, read_backup, size_text
from cli.bound_secrets import fitting_secrets
from cli.data_directory import DEMO_FILE, RESTORING_FILE
from cli.embedded_server import make_data_directory
from cli.migrate import migrate
from cli.postgres import EmbeddedPostgres
from cli.postgres_installation import SHARED_PLACE
from cli.postgres_tools import run_tool
from cli.private_files import read_json_object, write_private_json, write_private_text
from cli.progress import say, step
from cli.restored import NUMBERS_SKIPPED
from cli.stack import DEFAULT_DATA, SECRETS_FILE, camel
from cli.trouble import Trouble, UsageTrouble
from cli.verify import show_briefly
from core.books import PIPELINE_GRACE, BooksReport, check_books
from core.migrations import known_migrations
from core.queries import sql
from core.setting_values import shown_url
from core.settings import given, load_migration_settings, load_owner_settings

CONNECT_TIMEOUT_S = 10.0
MEND = "take another backup"
STATEMENT_TIMEOUT_S = 60.0
# The statistics of all tables.
ANALYZE_TIMEOUT_S = 3600.0
# Nobody minds whether a scratch server's data survives the machine.
SCRATCH_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def run(directory: Path, *, data: Path, check: bool) -> int:
    """Restore the backup. Returns 1 when its books have findings: it is restored all the same.

    check: into a server of its own that is thrown away, whatever `data` and DATABASE_URL say.
    """
    directory, data = directory.absolute(), data.resolve()
    try:
        return restore(directory, data, check=check)
    except OSError as error:
        raise Trouble(f"it cannot be restored: {error}") from error


def restore(directory: Path, data: Path, *, check: bool) -> int:
    with step("checked", f"the files of {directory}"):
        manifest = read_backup(directory)
    require_known(manifest)
    if check:
        report = try_out(directory, manifest)
        outcome = "tried, and thrown away again"
    else:
        owner_url = load_owner_settings().owner_url
        report = restore_into(directory, manifest, data, owner_url)
        outcome = f"restored into {data if owner_url is None else shown_url(owner_url)}"
    print(f"the backup of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC is {outcome}")
    show_briefly(report)
    if not check:
        tell_the_rest(directory, manifest, data)
    return 1 if report.findings else 0


def require_known(manifest: Manifest) -> None:
    """Raises Trouble when another program made it than this one can go on from."""
    known = known_migrations()
    if unknown := [name for name in manifest.migrations if name not in known]:
        raise Trouble(
            f"the backup is of a newer release ({manifest.version}), with migrations that this one does not know"
            f" ({', '.join(unknown[:3])}): restore it with that release"
        )
    if changed := [name for name, checksum in manifest.migrations.items() if known[name] != checksum]:
        raise Trouble(f"the backup is of another program: {changed[0]} has another text there")


def try_out(directory: Path, manifest: Manifest) -> BooksReport:
    """What the books say of it, in a scratch server under TMPDIR, or /var/tmp."""
    place = given(os.environ, "TMPDIR") or SHARED_PLACE
    scratch = Path(tempfile.mkdtemp(prefix="banca-restore-", dir=place))
    # As root the server runs as somebody else, who must get there; what is secret in it is for its owner only.
    scratch.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(scratch, settings=SCRATCH_SETTINGS)
    try:
        with server:
            put_files(directory, manifest, scratch)
            return restore_database(directory, manifest, server.owner_url, scratch)
    finally:
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)


def restore_into(directory: Path, manifest: Manifest, data: Path, owner_url: str | None) -> BooksReport:
    """owner_url: of the database to fill; None: an embedded one in data."""
    with new_data_directory(data):
        put_files(directory, manifest, data)
        if owner_url is None:
            with EmbeddedPostgres(data) as server:
                return restore_database(directory, manifest, server.owner_url, data)
        asyncio.run(require_empty(owner_url))
        return restore_database(directory, manifest, owner_url, data)


@contextmanager
def new_data_directory(data: Path) -> Iterator[None]:
    """A data directory with nothing in it; marked while it is filled, and empty again when that fails.

    Raises UsageTrouble when something is in it.
    """
    is_new = not data.exists()
    if not is_new and (not data.is_dir() or any(data.iterdir())):
        raise UsageTrouble(f"{data} is not empty: nothing is overwritten, name a new --data")
    make_data_directory(data)
    write_private_text(data / RESTORING_FILE, "A restore is under way here, or was cut off.\n")
    try:
        yield
    except BaseException:
        with suppress(OSError, Trouble):
            EmbeddedPostgres(data).remove()
        # All of it was made here: the directory was empty.
        for path in data.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        if is_new:
            data.rmdir()
        raise
    (data / RESTORING_FILE).unlink()


def restore_database(directory: Path, manifest: Manifest, owner_url: str, data: Path) -> BooksReport:
    """Load the dump into an empty database, bring that up to date, and begin a history of its own; what the books say.

    data: where the secrets are by now.
    """
    try:
        with step("loaded", size_text(manifest.files[DUMP_FILE].bytes)):
            asyncio.run(load(directory, manifest, owner_url))
        with step("migrated", "the database"):
            settings = load_migration_settings()
            known = (data / SECRETS_FILE).exists()
            migrate(
                owner_url,
                fitting_secrets(data, owner_url) if known else settings,
                api_role=settings.api_database_role,
                worker_role=settings.worker_database_role,
            )
        asyncio.run(begin_history(owner_url))
        with step("checked", "the books"):
            # What was on its way when the backup was made has been waiting since.
            waited = datetime.now(UTC) - manifest.taken_at
            return asyncio.run(check_books(owner_url, pipeline_grace=waited + PIPELINE_GRACE))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Trouble(f"the database refused: {error}") from error


async def load(directory: Path, manifest: Manifest, owner_url: str) -> None:
    """What the dump holds, with the owners that it had; whose it was at all, we are now."""
    async with connected(owner_url) as connection:
        for role in manifest.roles:
            await execute(connection, "backups/role_statements", role.name, role.settings, role.member_of)
        dump = str(directory / DUMP_FILE)
        await run_tool("pg_restore", owner_url, "--no-owner", "--single-transaction", "--exit-on-error", dump)
        async with connection.transaction():
            for owner in sorted({belonging.owner for belonging in manifest.belongings}):
                await execute(connection, "backups/join_role", owner)
            for belonging in manifest.belongings:
                await execute(connection, "backups/give", belonging.kind, belonging.identity, belonging.owner)
        await connection.execute(sql("backups/analyze"), timeout=ANALYZE_TIMEOUT_S)


async def execute(connection: Any, query: str, *arguments: Any) -> None:
    """Run the statements that the query answers."""
    for row in await connection.fetch(sql(query), *arguments):
        await connection.execute(row[0])


async def begin_history(owner_url: str) -> None:
    """As `./banca restored` does."""
    async with connected(owner_url) as connection:
        await connection.fetchval(sql("installation/begin_history"), NUMBERS_SKIPPED)


async def require_empty(owner_url: str) -> None:
    """Raises Trouble."""
    try:
        async with connected(owner_url) as connection:
            is_empty = await connection.fetchval(sql("backups/is_empty"))
    except (OSError, asyncpg.PostgresError) as error:
        raise Trouble(f"the database refused: {error}") from error
    if not is_empty:
        raise Trouble(f"{shown_url(owner_url)} is not empty: nothing is overwritten, make a new database")


@asynccontextmanager
async def connected(owner_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(
        owner_url, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        await connection.close()


def put_files(directory: Path, manifest: Manifest, data: Path) -> None:
    """What stood beside the database. Its server is a new one here, with a password of its own."""
    for name in (SECRETS_FILE, DEMO_FILE):
        if name in manifest.files:
            write_private_json(data / name, read_json_object(directory / name, mend=MEND))


def tell_the_rest(directory: Path, manifest: Manifest, data: Path) -> None:
    """What a restore cannot do by itself."""
    kept = read_json_object(directory / SECRETS_FILE, mend=MEND) if SECRETS_FILE in manifest.files else {}
    if "terminalMasterKey" not in kept:
        say("bring TERMINAL_MASTER_KEY from where you keep it, before anything starts: the backup does not have it")
    if others := [name.upper() for name in secret_names() if camel(name) in kept]:
        say(f"set {' and '.join(others)} as before: {directory / SECRETS_FILE} has the values")
    option = "" if data == DEFAULT_DATA else f" --data {data}"
    print(f"start it: ./banca up{option}; what to look at afterwards: docs/deploy.md, Restoring")
