"""Forward-only migrations, and the functions that follow them.

sql/migrations/NNNN_name.sql run once each, in order, each in a transaction of its own; a file that was applied may
never change (its checksum is kept). sql/functions/*.sql are replaced whenever their text changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from core.queries import SQL_ROOT

# Any constant will do, as long as every runner on the database takes the same one.
MIGRATION_LOCK = 0x62616E6361
LOCK_TIMEOUT_S = 60.0
STATEMENT_TIMEOUT_S = 300.0

LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


class MigrationChangedError(Exception):
    """A migration that was already applied has another text now; write a new one instead."""


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


async def migrate(owner_url: str, *, api_password: str | None = None, worker_password: str | None = None) -> list[str]:
    """Bring the database up to date; returns the names applied, in order.

    Passwords, when given, make banca_api and banca_worker able to log in.
    Raises MigrationChangedError; asyncpg's errors pass through (nothing of the failing file stays).
    """
    connection = await asyncpg.connect(owner_url, timeout=LOCK_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await connection.execute(LEDGER)
        applied = await _migrate_tables(connection) + await _replace_functions(connection)
        for role, password in (("banca_api", api_password), ("banca_worker", worker_password)):
            if password is not None:
                await _allow_login(connection, role=role, password=password)
        return applied
    finally:
        await connection.close()


async def pending(owner_url: str) -> list[str]:
    """Names of migrations that the database lacks."""
    connection = await asyncpg.connect(owner_url, timeout=LOCK_TIMEOUT_S)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
            return [script.name for script in _scripts("migrations")]
        known = await _known(connection)
        return [script.name for script in _scripts("migrations") if script.name not in known]
    finally:
        await connection.close()


async def _migrate_tables(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    known = await _known(connection)
    applied = []
    for script in _scripts("migrations"):
        if known.get(script.name, script.checksum) != script.checksum:
            raise MigrationChangedError(f"{script.name} was applied with another text; write a new migration")
        if script.name not in known:
            await _apply(connection, script)
            applied.append(script.name)
    return applied


async def _replace_functions(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    known = await _known(connection)
    changed = [script for script in _scripts("functions") if known.get(script.name) != script.checksum]
    for script in changed:
        await _apply(connection, script)
    return [script.name for script in changed]


async def _apply(connection: asyncpg.Connection[asyncpg.Record], script: Script) -> None:
    async with connection.transaction():
        await connection.execute(script.text)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = clock_timestamp()",
            script.name,
            script.checksum,
        )


async def _known(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    return {row["name"]: row["checksum"] for row in rows}


async def _allow_login(connection: asyncpg.Connection[asyncpg.Record], *, role: str, password: str) -> None:
    # ALTER ROLE takes no parameters; the server quotes the password.
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, password
    )
    await connection.execute(statement)


def _scripts(folder: str) -> list[Script]:
    return [_script(path, folder) for path in sorted((SQL_ROOT / folder).glob("*.sql"))]


def _script(path: Path, folder: str) -> Script:
    return Script(f"{folder}/{path.stem}", path.read_text(encoding="utf-8"))
