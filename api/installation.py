"""Which installation this is: the id that tells its keys and queues from another's on a shared server."""

from __future__ import annotations

from core.database import Database
from core.queries import sql

QUERY_TIMEOUT_S = 2.0


class Installation:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._id: str | None = None

    async def id(self) -> str:
        """Read once; it never changes. Raises DatabaseUnavailableError."""
        if self._id is None:
            async with self._database.connection() as connection:
                self._id = str(await connection.fetchval(sql("health/instance"), timeout=QUERY_TIMEOUT_S))
        return self._id
