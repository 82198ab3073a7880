"""The pool, the tenant of a transaction, and PostgreSQL's errors in our words."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson

from core.metrics import DATABASE_TROUBLES
from core.settings import STATEMENT_CACHE_SIZE

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

CONNECT_TIMEOUT_S = 5.0
# A connection that lived through many plans and catalog changes is retired.
CONNECTION_IDLE_S = 300.0
CONNECTION_QUERIES_MAX = 50_000
# What becomes of a connection of one's own when PostgreSQL goes away. The last: it died while it was being asked.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class DatabaseTrouble(StrEnum):
    """Why PostgreSQL does not take the work, as metrics and logs name it."""

    # No connection, or it was lost.
    AWAY = "away"
    # No answer, or no free connection, in the time that is allowed.
    TIMEOUT = "timeout"
    # A standby, or default_transaction_read_only.
    READ_ONLY = "read_only"
    # No room on a disk.
    FULL = "full"
    # No memory, or too many connections.
    OVERLOADED = "overloaded"
    # A lock that others hold, a deadlock, a conflict of transactions.
    BUSY = "busy"
    # A login or a privilege that is missing.
    REFUSED = "refused"
    # A table, a column or a function that is missing: a database of another release.
    OUTDATED = "outdated"
    # A defect of the server, or of its files.
    BROKEN = "broken"


# Of an SQLSTATE the longest beginning counts. What is not here is the fault of a request's data or of our statements.
_TROUBLES: Mapping[str, DatabaseTrouble] = {
    "08": DatabaseTrouble.AWAY,
    "0A000": DatabaseTrouble.OUTDATED,
    "25006": DatabaseTrouble.READ_ONLY,
    "25P": DatabaseTrouble.AWAY,
    "26000": DatabaseTrouble.OUTDATED,
    "28": DatabaseTrouble.REFUSED,
    "3D000": DatabaseTrouble.REFUSED,
    "3F000": DatabaseTrouble.OUTDATED,
    "40": DatabaseTrouble.BUSY,
    "40003": DatabaseTrouble.AWAY,
    "42501": DatabaseTrouble.REFUSED,
    "42703": DatabaseTrouble.OUTDATED,
    "42704": DatabaseTrouble.OUTDATED,
    "42883": DatabaseTrouble.OUTDATED,
    "42P01": DatabaseTrouble.OUTDATED,
    "53": DatabaseTrouble.OVERLOADED,
    "53100": DatabaseTrouble.FULL,
    "55": DatabaseTrouble.BUSY,
    "57": DatabaseTrouble.AWAY,
    "57014": DatabaseTrouble.TIMEOUT,
    "58": DatabaseTrouble.BROKEN,
    "72000": DatabaseTrouble.BUSY,
    "F0": DatabaseTrouble.BROKEN,
    "XX": DatabaseTrouble.BROKEN,
}
_SQLSTATE_LENGTH = 5
# After these nothing is known of a COMMIT that was under way.
_SILENT = frozenset((DatabaseTrouble.AWAY, DatabaseTrouble.TIMEOUT, DatabaseTrouble.BROKEN))


class DatabaseUnavailableError(Exception):
    """PostgreSQL did not take the work: nothing was written. Ours to mend; the caller may try again."""

    def __init__(self, reason: str, trouble: DatabaseTrouble = DatabaseTrouble.AWAY) -> None:
        super().__init__(reason, trouble)
        self.trouble = trouble

    def __str__(self) -> str:
        return str(self.args[0])


class SumOutOfRangeError(Exception):
    """A sum that the books would have to hold does not fit into its column: nothing was written, and trying again does
    not help.
    """


class OutcomeUnknownError(Exception):
    """The connection was lost while PostgreSQL worked: it may have committed. Send the same keys again."""


class TroubleLog:
    """When this process last met each trouble, by the monotonic clock: what its calls found out, health need not."""

    def __init__(self) -> None:
        self._seen_at_s: dict[DatabaseTrouble, float] = {}

    def note(self, trouble: DatabaseTrouble) -> None:
        DATABASE_TROUBLES.labels(trouble.value).inc()
        self._seen_at_s[trouble] = time.monotonic()

    def last_s(self, trouble: DatabaseTrouble) -> float:
        """Minus infinity: never."""
        return self._seen_at_s.get(trouble, float("-inf"))


TROUBLES = TroubleLog()


async def create_pool(
    url: str,
    *,
    size: int,
    timeout_s: float,
    application_name: str,
    statement_cache_size: int = STATEMENT_CACHE_SIZE,
    prepare: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
) -> Pool:
    """A pool that connects lazily, so that a process starts, and recovers, without PostgreSQL.

    statement_cache_size: how many statements a connection keeps prepared; 0 where a pooler may give each transaction
        another session.
    prepare: of each new connection, before its first use; prepare_connection unless told.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        statement_cache_size=statement_cache_size,
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
            if is_ending and not readonly and error.trouble in _SILENT:
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
    """Trouble of PostgreSQL's, or on the way to it, becomes DatabaseUnavailableError; an error of ours stays what it is.

    So does what may as well be a defect of a statement of ours (class 42: no such function, no privilege): whoever
    expects it knows it by its type.
    """
    try:
        yield
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is None or _is_of_statement(error):
            raise
        raise unavailable(error, trouble) from error


def unavailable(error: BaseException, trouble: DatabaseTrouble | None = None) -> DatabaseUnavailableError:
    """The driver's error in our words, noted. trouble: as trouble_of says, unless told; of a defect of ours, BROKEN."""
    if isinstance(error, DatabaseUnavailableError):
        return DatabaseUnavailableError(str(error), error.trouble)
    found = trouble or trouble_of(error) or DatabaseTrouble.BROKEN
    TROUBLES.note(found)
    state = getattr(error, "sqlstate", None)
    told = f"{type(error).__name__} {state}" if state else type(error).__name__
    return DatabaseUnavailableError(f"{told}: {error}", found)


def trouble_of(error: BaseException) -> DatabaseTrouble | None:
    """What keeps PostgreSQL from the work; None: nothing does, the request's data or our statement is at fault."""
    match error:
        case DatabaseUnavailableError():
            return None
        case TimeoutError():
            return DatabaseTrouble.TIMEOUT
        case asyncpg.PostgresError():
            return _trouble_of_state(error.sqlstate or "")
        case asyncpg.InterfaceError():
            # The driver's own DataError is one, too: a value that has no place in its SQL type.
            return None if isinstance(error, ValueError) else DatabaseTrouble.AWAY
        case OSError() | asyncpg.InternalClientError():
            return DatabaseTrouble.AWAY
        case _:
            return None


def _is_of_statement(error: BaseException) -> bool:
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith("42")


def _trouble_of_state(sqlstate: str) -> DatabaseTrouble | None:
    for length in range(_SQLSTATE_LENGTH, 0, -1):
        if trouble := _TROUBLES.get(sqlstate[:length]):
            return trouble
    return None
