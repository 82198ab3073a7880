"""Forward-only migrations, and the functions that follow them.

sql/migrations/NNNN_name.sql run once each, in order, each in a transaction of its own; a file that was applied may
never change (its checksum is kept). sql/functions/*.sql are replaced whenever their text changed, unless the database has
a migration that this program does not know: then it was made by a newer version, and nothing is touched.

A migration that older programs cannot run on says from which on they can, in a line of its own:

    -- Programs from: 0045

Then only programs that know migration 0045 run on a database that has this one. Without the line everyone may.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from core.queries import SQL_ROOT, sql
from core.settings import API_ROLE, WORKER_ROLE

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

# Any constant will do, as long as every runner on the database takes the same one.
MIGRATION_LOCK = 0x62616E6361
CONNECT_TIMEOUT_S = 60.0
STATEMENT_TIMEOUT_S = 300.0
APPLICATION_NAME = "banca migrate"
NAMES_SHOWN_MAX = 3
# How often a runner looks who holds what it waits for.
WATCH_S = 0.1

# programs_from: the least migration that a program must know to run on a database that has this one.
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    programs_from integer
)
"""
PROGRAMS_FROM = re.compile(r"^-- Programs from: ([0-9]{4})$", re.MULTILINE)


class MigrationChangedError(Exception):
    """A migration that was already applied has another text now; write a new one instead."""


class DatabaseNewerError(Exception):
    """The database has migrations that this program does not know: a newer version made it. Nothing was touched."""


class RoleTakenError(Exception):
    """A role that a process is to log in as belongs to another database of the server, or to a person. Nothing was
    touched.
    """


class MigrationBlockedError(Exception):
    """Others held for too long what the migration must lock; nothing of the file that waited stays. Try again later."""


class MigrationTooLongError(Exception):
    """A statement took longer than STATEMENT_TIMEOUT_S; nothing of its file stays."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a migration waits for locks that others hold.

    lock_timeout_s: for one lock at a time. Whatever sells waits behind it, so it is short; and it is shorter than
        PostgreSQL's deadlock_timeout, so that of a migration and a sale that wait for each other the migration gives way.
    total_s: for all the tries of one file together, then it is given up.
    pause_min_s, pause_max_s: between two tries, when nobody waits behind it; doubled each time.
    """

    lock_timeout_s: float = 0.8
    total_s: float = 120.0
    pause_min_s: float = 1.0
    pause_max_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def programs_from(self) -> int | None:
        found = PROGRAMS_FROM.search(self.text)
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Login:
    """A role that processes log in as, with the rights of base, which it may be itself.

    setting: the name of the setting that names the role.
    """

    base: str
    role: str
    password: str
    setting: str


async def migrate(
    owner_url: str,
    *,
    api_password: str | None = None,
    worker_password: str | None = None,
    api_role: str = API_ROLE,
    worker_role: str = WORKER_ROLE,
    root: Path = SQL_ROOT,
    patience: Patience | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Bring the database up to date.

    A file that finds a lock taken lets go of its own, so that sales go on, and is tried again.

    Args:
        owner_url: of the database's owner.
        api_password: when given, api_role can log in with it.
        worker_password: when given, worker_role can log in with it.
        api_role: what the API logs in as. Another one than banca_api is made when it is not there, as its member.
        worker_role: the same of the workers.
        root: the folder that holds migrations/ and functions/.
        patience: with what others hold.
        tell: gets a line for each try that had to give way, naming who holds the lock.

    Returns:
        The names applied, in order.

    Raises:
        DatabaseNewerError, RoleTakenError: before anything is touched. MigrationChangedError, MigrationBlockedError,
        MigrationTooLongError; asyncpg's errors pass through. Nothing of the failing file stays.
    """
    logins = [
        Login(base, role, password, setting)
        for base, role, password, setting in (
            (API_ROLE, api_role, api_password, "API_DATABASE_ROLE"),
            (WORKER_ROLE, worker_role, worker_password, "WORKER_DATABASE_ROLE"),
        )
        if password is not None
    ]
    async with _runner(owner_url, patience or Patience(), tell) as runner:
        await runner.require_known(root)
        for login in logins:
            await runner.require_own(login)
        await runner.prepare_ledger()
        applied = await runner.migrate_tables(root) + await runner.replace_functions(root)
        for login in logins:
            await runner.allow_login(login)
        return applied


@asynccontextmanager
async def _runner(owner_url: str, patience: Patience, tell: Callable[[str], None]) -> AsyncIterator[_Runner]:
    """The only one on the database while the context lasts."""
    async with _connected(owner_url) as connection, _connected(owner_url) as watcher, _connected(owner_url) as turn:
        runner = _Runner(connection, watcher, patience, tell)
        # The lock is a transaction's, in which nothing else is done: behind a pooler a session's would outlive us.
        async with turn.transaction():
            await runner.wait_for_turn(turn)
            yield runner


@asynccontextmanager
async def _connected(owner_url: str) -> AsyncIterator[Connection]:
    connection = await _connect(owner_url)
    try:
        yield connection
    finally:
        await connection.close()


async def _connect(owner_url: str) -> Connection:
    return await asyncpg.connect(
        owner_url,
        timeout=CONNECT_TIMEOUT_S,
        # The server ends a statement that takes too long; this is for a server that went away.
        command_timeout=STATEMENT_TIMEOUT_S + CONNECT_TIMEOUT_S,
        # A pooler may give each transaction another session.
        statement_cache_size=0,
        server_settings={"application_name": APPLICATION_NAME},
    )


class _Runner:
    """Applies files over one connection, and looks over another who is in its way."""

    def __init__(
        self, connection: Connection, watcher: Connection, patience: Patience, tell: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._watcher = watcher
        self._patience = patience
        self._tell = tell
        self._pid = connection.get_server_pid()
        self._blockers: list[str] = []

    async def wait_for_turn(self, turn: Connection) -> None:
        """Take the lock that one runner holds at a time, until turn's transaction ends.

        It is asked for again and again: nothing waits behind that.
        """
        await turn.execute(sql("migrations/no_idle_timeout"))
        deadline_s = time.monotonic() + self._patience.total_s
        is_told = False
        while not await turn.fetchval("SELECT pg_try_advisory_xact_lock($1)", MIGRATION_LOCK):
            others = [_described(row) for row in await self._watcher.fetch(sql("migrations/runners"), MIGRATION_LOCK)]
            if time.monotonic() > deadline_s:
                raise MigrationBlockedError(
                    f"another migration runs, and was not done in {self._patience.total_s:g} s: {_listed(others)}"
                )
            if others and not is_told:
                self._tell(f"another migration runs: {_listed(others)}")
                is_told = True
            await asyncio.sleep(WATCH_S)
        # Otherwise its snapshot would keep old rows from being cleaned up.
        await turn.execute(sql("scheduler/keep_no_snapshot"))

    async def require_known(self, root: Path) -> None:
        """Raises DatabaseNewerError."""
        if not await self._connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
            return
        here = [script.name for script in _scripts(root, "migrations")]
        there = await self._known()
        unknown = sorted(name for name in there if name.startswith("migrations/") and name not in here)
        if unknown:
            raise DatabaseNewerError(
                f"a newer version made this database: it has {_some(unknown)}, and this program knows migrations up to"
                f" {here[-1].rpartition('/')[2][:4]} only. Use that version, or restore a backup from before; nothing was"
                " changed"
            )

    async def require_own(self, login: Login) -> None:
        """Whether the login may be made, or its password changed, for this database. Raises RoleTakenError."""
        row = await self._connection.fetchrow(sql("migrations/role"), login.role)
        if row is None:
            return
        reason = None
        if row["of_database"] is not None:
            reason = f'is the login of database "{row["of_database"]}"'
        elif row["is_marked"]:
            return
        elif login.role != login.base:
            reason = "was not made for this database"
        elif row["can_login"] and row["granted_in"]:
            reason = f"may be the login of another database ({_some(row['granted_in'])})"
        if reason is not None:
            raise RoleTakenError(
                f"the role {login.role} of this server {reason}: its password is not changed. Set API_DATABASE_ROLE and"
                f" WORKER_DATABASE_ROLE to roles of this database's own; or, if {login.role} is to be its login,"
                f" say so: {row['claim']}"
            )

    async def prepare_ledger(self) -> None:
        await self._connection.execute(LEDGER)
        if not await self._connection.fetchval(sql("migrations/knows_programs")):
            # Of a database from before the column, whose migrations run before the one that could add it.
            await self._patiently(
                "the ledger",
                lambda: self._in_transaction("ALTER TABLE schema_migrations ADD COLUMN programs_from integer"),
            )

    async def migrate_tables(self, root: Path) -> list[str]:
        known = await self._known()
        applied = []
        for script in _scripts(root, "migrations"):
            if known.get(script.name, script.checksum) != script.checksum:
                raise MigrationChangedError(f"{script.name} was applied with another text; write a new migration")
            if script.name not in known:
                await self._apply(script)
                applied.append(script.name)
        return applied

    async def replace_functions(self, root: Path) -> list[str]:
        known = await self._known()
        changed = [script for script in _scripts(root, "functions") if known.get(script.name) != script.checksum]
        for script in changed:
            await self._apply(script)
        return [script.name for script in changed]

    async def allow_login(self, login: Login) -> None:
        await self._patiently(f"the login of {login.role}", lambda: self._allow_login_once(login))

    async def _allow_login_once(self, login: Login) -> None:
        async with self._transaction():
            # No such statement takes parameters; the server puts them together.
            rows = await self._connection.fetch(sql("migrations/login"), login.base, login.role, login.password)
            first, *others = [row["statement"] for row in rows]
            await self._connection.execute(first)
            if not first.startswith("CREATE"):
                # Once its row is ours: another database's runner may have taken the role a moment ago.
                await self.require_own(login)
            for statement in others:
                await self._connection.execute(statement)

    async def _apply(self, script: Script) -> None:
        await self._patiently(script.name, lambda: self._apply_once(script))

    async def _apply_once(self, script: Script) -> None:
        async with self._transaction():
            await self._connection.execute(script.text)
            await self._connection.execute(
                "INSERT INTO schema_migrations (name, checksum, programs_from) VALUES ($1, $2, $3)"
                " ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = clock_timestamp()",
                script.name,
                script.checksum,
                script.programs_from,
            )

    async def _in_transaction(self, statement: str) -> None:
        async with self._transaction():
            await self._connection.execute(statement)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """One with timeouts of its own: a session's would stay with a pooler's connection."""
        async with self._connection.transaction():
            await self._connection.execute(
                sql("migrations/timeouts"), f"{self._patience.lock_timeout_s}s", f"{STATEMENT_TIMEOUT_S}s"
            )
            yield

    async def _patiently(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Try until it is done. Each try lets go of all that it holds when it has waited too long for a lock."""
        began_s, pause_s = time.monotonic(), self._patience.pause_min_s
        while True:
            try:
                await self._watched(work)
            except asyncpg.QueryCanceledError as error:
                raise MigrationTooLongError(
                    f"{name}: a statement took longer than {STATEMENT_TIMEOUT_S:g} s; nothing of it stays"
                ) from error
            except asyncpg.PostgresError as error:
                if not _is_contention(error):
                    raise
                waited_s = time.monotonic() - began_s
                told = f"{name} waits for what others hold: {_listed(self._blockers)}"
                if waited_s + pause_s > self._patience.total_s:
                    raise MigrationBlockedError(
                        f"{told}; given up after {waited_s:.0f} s, nothing of it stays. Let them end, or end them with"
                        " pg_terminate_backend(pid), and migrate again"
                    ) from error
                self._tell(f"{told}; again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._patience.pause_max_s)
            else:
                return

    async def _watched(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do it, and note meanwhile who is in the way: afterwards that cannot be seen any more."""
        self._blockers = []
        task = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait({task}, timeout=WATCH_S))[0]:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    found = await self._watcher.fetch(sql("migrations/blockers"), self._pid)
                    self._blockers = [_described(row) for row in found] or self._blockers
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        task.result()

    async def _known(self) -> dict[str, str]:
        return await _known(self._connection)


def _is_contention(error: asyncpg.PostgresError) -> bool:
    """Whether somebody else was in the way, so that another try may do."""
    if isinstance(error, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
        return True
    # Roles are the server's: a runner on another of its databases changes them, too.
    return isinstance(error, asyncpg.InternalServerError) and "tuple concurrently" in str(error)


def _described(row: asyncpg.Record) -> str:
    age_s = row["transaction_age_s"]
    age = "" if age_s is None else f", in a transaction for {age_s:.0f} s"
    query = f": {row['query']}" if row["query"] else ""
    return f"pid {row['pid']} ({row['application_name'] or 'unnamed'}, {row['role']}, {row['state']}{age}){query}"


def _listed(blockers: Sequence[str]) -> str:
    return "; ".join(blockers) or "by now they have let go"


def known_migrations() -> dict[str, str]:
    """Name and checksum of every migration that this program has."""
    return {script.name: script.checksum for script in _scripts(SQL_ROOT, "migrations")}


def _some(names: Sequence[str]) -> str:
    """All of them, or the first and how many more."""
    return ", ".join(names) if len(names) <= NAMES_SHOWN_MAX else f"{names[0]} and {len(names) - 1} more"


@cache
def newest_migration(root: Path = SQL_ROOT) -> int:
    """The number of the newest migration that this program knows."""
    return int(_scripts(root, "migrations")[-1].name.rpartition("/")[2][:4])


async def _known(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    return {row["name"]: row["checksum"] for row in rows}


def _scripts(root: Path, folder: str) -> list[Script]:
    return [_script(path, folder) for path in sorted((root / folder).glob("*.sql"))]


def _script(path: Path, folder: str) -> Script:
    return Script(f"{folder}/{path.stem}", path.read_text(encoding="utf-8"))
