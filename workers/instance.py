"""The installation's id, which keeps its queues apart from others on the same broker."""

from __future__ import annotations

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.queries import sql


class InstanceUnknownError(Exception):
    """The database is away or not migrated yet; ask again."""


async def read_instance_id(database: Database) -> str:
    """Raises InstanceUnknownError."""
    try:
        async with database.connection() as connection:
            instance_id: str = await connection.fetchval(sql("outbox/instance"))
            return instance_id
    except (DatabaseUnavailableError, asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
        raise InstanceUnknownError(f"{type(error).__name__}: {error}") from error
