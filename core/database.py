"""The pool, the tenant of a transaction, and PostgreSQL's errors in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

CONNECT_TIMEOUT_S = 5.0
# A connection that lived through many plans and catalog changes is retired.
CONNECTION_IDLE_S = 300.0
CONNECTION_QUERIES_MAX = 50_000
# What becomes of a connection of one's own when PostgreSQL goes away. The last: it died while it was being asked.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class DatabaseUnavailableError(Exception):
    """PostgreSQL did not take the work: nothing was written. Ours to mend; the caller may try again."""


class OutcomeUnknownError(Exception):
    """The connection was lost while PostgreSQL worked: it may have committed. Send the same keys again."""


async def create_pool(
    url: str,
    *,
    size: int,
    timeout_s: float,
    application_name: str,
    prepare: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
) -> Pool:
    """A pool that connects lazily, so that a process starts, and recovers, without PostgreSQL.

    prepare: of each new connection, before its first use; prepare_connection unless told.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        max_inactive_connection_lifetime=CONNECTION_IDLE_S,
        max_queries=CONNECTION_QUERIES_MAX,
        init=prepare or prepare_connection,
        reset=_keep_as_is,
        server_settings={"application_name": application_name},
    )


async def prepare_connection(connection: Any) -> None:
    """json and jsonb come and go as Python values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode_json, decoder=orjson.loads, format="text"
        )


async def _keep_as_is(_: object) -> None:
    """Nothing outlives a transaction on our connections, so a release needs no round trip to clean up."""


def _encode_json(value: object) -> str:
    return orjson.dumps(value).decode()


class Database:
    """Reads and small writes under row-level security. Every use is bounded by the pool's timeouts."""

    def __init__(self, pool: Pool, *, acquire_timeout_s: float) -> None:
        self.pool = pool
        self.acquire_timeout_s = acquire_timeout_s

    @asynccontextmanager
    async def tenant(
        self, banca_id: UUID, *, readonly: bool = True, is_snapshot: bool = False
    ) -> AsyncIterator[Connection]:
        """A transaction that sees one banca's rows. is_snapshot: in all its queries as they are at its beginning.

        Raises DatabaseUnavailableError; OutcomeUnknownError when the answer to a COMMIT was lost.
        """
        is_ending = False
        try:
            async with (
                self.connection() as connection,
                connection.transaction(isolation="repeatable_read" if is_snapshot else None, readonly=readonly),
            ):
                await connection.execute("SELECT set_config('app.banca_id', $1, true)", str(banca_id))
                yield connection
                is_ending = True
        except DatabaseUnavailableError as error:
            if is_ending and not readonly:
                raise OutcomeUnknownError(str(error)) from error
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection without a tenant: it sees only what SECURITY DEFINER functions answer."""
        with translated_errors():
            async with self.pool.acquire(timeout=self.acquire_timeout_s) as connection:
                yield connection


@contextmanager
def translated_errors() -> Iterator[None]:
    """Trouble on the way to PostgreSQL becomes DatabaseUnavailableError; an error of ours stays what it is."""
    try:
        yield
    except (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.QueryCanceledError,
        asyncpg.InvalidAuthorizationSpecificationError,
    ) as error:
        raise DatabaseUnavailableError(f"{type(error).__name__}: {error}") from error
