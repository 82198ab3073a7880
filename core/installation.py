"""Which installation this is, and which of its histories: what tells its keys from others' on a shared server."""

from __future__ import annotations

from core.database import Database
from core.fresh import Fresh
from core.queries import sql

QUERY_TIMEOUT_S = 2.0
# A database that is restored under a process that goes on is noticed so soon.
HISTORY_AGE_MAX_S = 5.0


class Installation:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._histories: Fresh[None, str] = Fresh(self._read, entries_max=1)

    async def history(self) -> str:
        """The installation's id with that of its history, for keys: after a restore they are others.

        Raises DatabaseUnavailableError.
        """
        return await self._histories.get(None, max_age_s=HISTORY_AGE_MAX_S)

    async def _read(self, _: None) -> str:
        async with self._database.connection() as connection:
            return str(await connection.fetchval(sql("installation/history"), timeout=QUERY_TIMEOUT_S))
