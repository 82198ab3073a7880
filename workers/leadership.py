"""Who of several processes leads: one at a time, by an advisory lock in PostgreSQL."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from core.database import Database, DatabaseUnavailableError, translated_errors
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection


class Leadership:
    """Held from the first success to close(), or to the end of its connection.

    The lock is a transaction's: it ends with the process however that ends, also behind a pooler. Nothing else is done
    in that transaction, so it keeps no table locked and no snapshot, however long it lasts.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._connection: Connection | None = None
        self._closing = AsyncExitStack()

    async def held(self) -> bool:
        """Whether this process leads; it does if nobody else did. Raises DatabaseUnavailableError: then it does not."""
        if self._connection is None:
            return await self._taken()
        try:
            with translated_errors():
                # Asked again, who has it keeps it; who lost it has no connection to ask on.
                return await _leads(self._connection)
        except DatabaseUnavailableError:
            await self.close()
            raise

    async def close(self) -> None:
        """Lead no more. Never raises: what cannot be said is ended by the end of the connection."""
        self._connection = None
        closing, self._closing = self._closing, AsyncExitStack()
        with suppress(DatabaseUnavailableError):
            await closing.aclose()

    async def _taken(self) -> bool:
        async with AsyncExitStack() as taking:
            connection = await taking.enter_async_context(self.database.connection())
            await taking.enter_async_context(connection.transaction())
            if not await _leads(connection):
                return False
            self._connection = connection
            self._closing = taking.pop_all()
            return True


async def _leads(connection: Connection) -> bool:
    is_leader: bool = await connection.fetchval(sql("scheduler/lead"))
    # The driver leaves an answered question open, and with it its snapshot, which keeps old rows from being cleaned up.
    await connection.execute(sql("scheduler/keep_no_snapshot"))
    return is_leader
