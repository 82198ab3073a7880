"""The installation's id, which keeps its queues apart from others on the same broker."""

from __future__ import annotations

import asyncio

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.logging import Log
from core.queries import sql
from workers.backoff import backoff_s, wait


async def await_instance_id(database: Database, *, stop: asyncio.Event, log: Log) -> str | None:
    """The instance id, as soon as a migrated database answers; None when stop came first."""
    failures = 0
    while not stop.is_set():
        try:
            async with database.connection() as connection:
                instance_id: str = await connection.fetchval(sql("outbox/instance"))
                return instance_id
        except (DatabaseUnavailableError, asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
            failures += 1
            log.warning("DATABASE_AWAITED", reason=str(error), failures=failures)
            await wait(stop, backoff_s(failures))
    return None
