"""A copy of the database that follows it, and whether it has what a reading must show.

A reading shows everything that was committed when it was asked for: whoever has the answer to a change, or heard of it from
another answer, reads it, whichever process made it. So the primary is asked how far it has written after the reading came,
and the reading waits until the replica has got there; it is a matter of milliseconds where the replica keeps up, and one
question serves all who wait. Where it does not keep up, the primary answers.

The primary is asked how far it has written, then the replica whether it has got there. What a replica says of itself
would not do: one that is cut off has replayed all that it received, for ever, and the age of the last commit that it
replayed grows while nobody writes and compares two machines' clocks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from enum import StrEnum
from time import monotonic

import asyncpg

from core.database import LOST, Database, DatabaseUnavailableError, create_pool, unavailable
from core.logging import Log
from core.metrics import REPLICA_LAG_SECONDS
from core.queries import sql
from core.settings import STATEMENT_CACHE_SIZE

LOOK_TIMEOUT_S = 1.0
LOOK_INTERVAL_MAX_S = 0.5
# How long a reading waits for the replica; and the pause between two looks while one waits.
CATCH_UP_S = 0.25
LOOK_PAUSE_S = 0.002
# A lag that may be short is looked at more often.
LOOKS_PER_LAG = 4
# Half an hour's; of a replica that is further behind it is only known that it is.
POSITIONS_MAX = 3_600
# A reading that finds no connection by then is made on the primary.
ACQUIRE_TIMEOUT_S = 1.0

log = Log("replica")


class ReplicaState(StrEnum):
    """LATE: it follows, too far behind. AWAY: it does not answer, or is no replica of this database."""

    FRESH = "fresh"
    LATE = "late"
    AWAY = "away"


class Line:
    """A connection for one asker, who has bounds of its own and waits for nobody else; made anew when it is lost."""

    def __init__(self, url: str, *, application_name: str, statement_cache_size: int) -> None:
        self._url = url
        self._application_name = application_name
        self._statement_cache_size = statement_cache_size
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def ask(self, query: str) -> asyncpg.Record:
        """The one row of the answer. Raises DatabaseUnavailableError."""
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url,
                    timeout=LOOK_TIMEOUT_S,
                    command_timeout=LOOK_TIMEOUT_S,
                    statement_cache_size=self._statement_cache_size,
                    server_settings={"application_name": self._application_name},
                )
            row = await self._connection.fetchrow(query)
        except LOST as error:
            self.drop()
            raise unavailable(error) from error
        assert row is not None, "it is asked for functions' values"
        return row

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class Replica:
    """lag_max_s: how old its answers may be. pool_size and timeout_s: of the readings, in one process."""

    def __init__(
        self,
        url: str,
        *,
        primary_url: str,
        lag_max_s: float,
        pool_size: int,
        timeout_s: float,
        statement_cache_size: int = STATEMENT_CACHE_SIZE,
    ) -> None:
        self.state: ReplicaState | None = None
        self._url = url
        self._lag_max_s = lag_max_s
        self._pool_size = pool_size
        self._timeout_s = timeout_s
        self._statement_cache_size = statement_cache_size
        self._primary_line, self._line = (
            Line(each, application_name="banca api replica watch", statement_cache_size=statement_cache_size)
            for each in (primary_url, url)
        )
        # Held while the replica answers.
        self._database: Database | None = None
        self._history: str | None = None
        # When the primary was asked, and how far it was; only what the replica has not reached.
        self._positions: deque[tuple[float, int]] = deque(maxlen=POSITIONS_MAX)
        # The replica has everything that was committed by then.
        self._reached_at = float("-inf")
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()

    @property
    def lag_s(self) -> float:
        """How much of the past the replica may lack at the most; infinite while nothing is known."""
        return monotonic() - self._reached_at

    @property
    def readable(self) -> Database | None:
        """None while an answer could be older than it may be."""
        return self._database if self.lag_s <= self._lag_max_s else None

    async def caught_up(self) -> Database | None:
        """The replica, with everything that was committed by now; None: it has not got there in time, or is late anyway."""
        since = monotonic()
        if self.readable is None:
            return None
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while self._reached_at < since:
                    await self._looked.wait()
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
        return self._database

    async def run(self) -> None:
        """Looks again and again, until cancelled; at once while a reading waits."""
        interval_s = min(LOOK_INTERVAL_MAX_S, self._lag_max_s / LOOKS_PER_LAG)
        try:
            while True:
                self._wanted.clear()
                await self._look()
                # Those that wait are told, and the next wait for the next look.
                self._looked.set()
                self._looked = asyncio.Event()
                if self._waiting:
                    await asyncio.sleep(LOOK_PAUSE_S)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await self._wanted.wait()
        finally:
            self._let_go()
            self._primary_line.drop()

    async def _look(self) -> None:
        await self._look_at_primary()
        try:
            row = await self._line.ask(sql("replica/progress"))
        except DatabaseUnavailableError as error:
            self._lose(str(error))
        else:
            if not row["is_following"]:
                self._lose("it follows no other server")
            elif self._history not in (None, row["history"]):
                self._lose("it is a replica of another installation, or of a history that is gone")
            else:
                await self._found(row["replayed"])
        REPLICA_LAG_SECONDS.set(self.lag_s)

    async def _look_at_primary(self) -> None:
        asked_at = monotonic()
        try:
            row = await self._primary_line.ask(sql("replica/position"))
        except DatabaseUnavailableError:
            # How far it is nobody knows: what the replica is known to have grows old.
            return
        self._history = row["history"]
        if self._positions and row["written"] < self._positions[-1][1]:
            # Another server is the primary now.
            self._positions.clear()
        self._positions.append((asked_at, row["written"]))

    async def _found(self, replayed: int) -> None:
        while self._positions and self._positions[0][1] <= replayed:
            self._reached_at = self._positions.popleft()[0]
        if self._database is None:
            pool = await create_pool(
                self._url,
                size=self._pool_size,
                timeout_s=self._timeout_s,
                application_name="banca api replica",
                statement_cache_size=self._statement_cache_size,
            )
            self._database = Database(pool, acquire_timeout_s=ACQUIRE_TIMEOUT_S)
        is_fresh = self.lag_s <= self._lag_max_s
        if self._turns(ReplicaState.FRESH if is_fresh else ReplicaState.LATE):
            tell = log.info if is_fresh else log.warning
            tell("REPLICA_FRESH" if is_fresh else "REPLICA_LATE", lag_s=round(self.lag_s, 3))

    def _lose(self, reason: str) -> None:
        self._let_go()
        if self._turns(ReplicaState.AWAY):
            log.warning("REPLICA_AWAY", reason=reason)

    def _let_go(self) -> None:
        """At once: readings that wait for it go on elsewhere. Once it is back it must be seen to have got on."""
        self._line.drop()
        if self._database is not None:
            self._database.pool.terminate()
            self._database = None
        self._reached_at = float("-inf")

    def _turns(self, state: ReplicaState) -> bool:
        """Whether this is news."""
        was, self.state = self.state, state
        return was is not state
