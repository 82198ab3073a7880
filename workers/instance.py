"""The installation's id, which keeps its queues apart from others on the same broker; a process begins by reading it."""

from __future__ import annotations

import asyncio

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.installation import require_fit
from core.logging import Log
from core.queries import sql
from workers.backoff import backoff_s, wait


class InstanceUnknownError(Exception):
    """The database is away or not migrated yet; ask again."""


async def read_instance_id(database: Database) -> str:
    """Raises InstanceUnknownError; MisfitError when this program may not run on the database."""
    try:
        async with database.connection() as connection:
            await require_fit(connection, None)
            instance_id: str = await connection.fetchval(sql("outbox/instance"))
            return instance_id
    except (
        DatabaseUnavailableError,
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedFunctionError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        raise InstanceUnknownError(f"{type(error).__name__}: {error}") from error


async def await_instance_id(database: Database, stop: asyncio.Event, log: Log) -> str | None:
    """The instance id as soon as a migrated database answers; None when stop came first. Raises MisfitError."""
    failures = 0
    while not stop.is_set():
        try:
            return await read_instance_id(database)
        except InstanceUnknownError as error:
            failures += 1
            log.warning("DATABASE_AWAITED", reason=str(error), failures=failures)
            await wait(stop, backoff_s(failures))
    return None
