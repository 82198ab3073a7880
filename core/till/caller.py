"""Calls of the functions that move money: one transaction each, repeated only where that is safe."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import asyncpg

from core.database import TROUBLES, OutcomeUnknownError, translated_errors, trouble_of
from core.logging import Log
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection, Pool

log = Log("till")

# The key was recorded by another process between our look and our insert, for the same actor or for the same terminal:
# look again.
LOST_RACE_CONSTRAINTS = frozenset({"idempotency_pkey", "idempotency_by_terminal"})
# The connection, or the answer, was lost while PostgreSQL worked: it may have committed.
LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # The pool handed out a connection on which the server's crash notice was just arriving.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
)


class UnsendableError(Exception):
    """A value that has no place in its SQL type: nothing was sent."""


class Caller:
    def __init__(
        self, pool: Pool, *, acquire_timeout_s: float, max_retries: int, backoff_min_ms: int, backoff_max_ms: int
    ) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._max_retries = max_retries
        self._backoff_min_ms = backoff_min_ms
        self._backoff_max_ms = backoff_max_ms

    async def call(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of a query that is one function call, by its name.

        Raises DatabaseUnavailableError when it was not sent, OutcomeUnknownError when its commit's fate is not
        known, UnsendableError, asyncpg.PostgresError when PostgreSQL refused it and kept nothing.
        """
        for attempt in range(self._max_retries):
            try:
                return await self._call_once(query, arguments)
            except asyncpg.PostgresError as error:
                if not _may_repeat(error):
                    raise
            await self._back_off(attempt)
        return await self._call_once(query, arguments)

    async def _call_once(self, query: str, arguments: tuple[Any, ...]) -> list[asyncpg.Record]:
        with translated_errors():
            connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        try:
            return await connection.fetch(sql(query), *arguments)
        except LOST as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise UnsendableError(str(error)) from error
            TROUBLES.note(trouble)
            raise OutcomeUnknownError(f"{type(error).__name__}: {error}") from error
        finally:
            await self._release(connection)

    async def _release(self, connection: Connection) -> None:
        """Whatever becomes of the connection, it never replaces the call's outcome."""
        try:
            await self._pool.release(connection, timeout=self._acquire_timeout_s)
        except LOST as error:
            # The pool has ended it by now.
            log.warning("CONNECTION_LOST", reason=f"{type(error).__name__}: {error}")

    async def _back_off(self, attempt: int) -> None:
        # Full jitter: whoever collided does not collide again in step.
        longest_ms = min(self._backoff_max_ms, self._backoff_min_ms * 2**attempt)
        await asyncio.sleep(random.uniform(0, longest_ms) / 1000)  # noqa: S311 - spreads retries, hides nothing


def _may_repeat(error: asyncpg.PostgresError) -> bool:
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.constraint_name in LOST_RACE_CONSTRAINTS
    return isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError)
