"""Whether cached balances may be believed, as the API processes tell each other by way of the database.

A process that could not take a changed balance out of Valkey raises a doubt before it answers; while a doubt stands, every
process reads balances from the database. A process believes the cache only as long as it has looked for doubts, so that one
that cannot look does not believe it either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.fresh import Fresh
from core.logging import Log
from core.queries import sql

# How old a look at the doubts may be. Who raises one waits as long before it answers: then every look that did not find it
# is too old. So much a sale may wait, once when Valkey goes away.
LOOK_AGE_MAX_S = 0.25
# Timers of different processes are not the same to the millisecond.
MARGIN_S = 0.05
# What the database's round trip may take of the time that a doubt stands for.
RENEW_AT = 0.5

TROUBLE = (DatabaseUnavailableError, asyncpg.PostgresError)
log = Log("cache")


class BalanceDoubts:
    """lasts_s: how long a doubt stands unless it is renewed; as long as a cached balance may live, because whoever raised it
    may die before it could take its balances out.
    """

    def __init__(self, database: Database, *, lasts_s: float) -> None:
        self._database = database
        self._lasts_s = lasts_s
        self._process = uuid4()
        # Until when our own doubt stands at least, and from when on everybody knows of it.
        self._stands_until = 0.0
        self._is_known_at = 0.0
        self._turn = asyncio.Lock()
        self._looks: Fresh[str, bool] = Fresh(self._look, entries_max=1)

    async def are_none(self) -> bool:
        """Whether the cache may be believed now."""
        try:
            return await self._looks.get("", max_age_s=LOOK_AGE_MAX_S)
        except TROUBLE:
            return False

    async def raise_ours(self) -> None:
        """Returns when no process believes the cache any more; at once while our doubt stands long enough."""
        async with self._turn:
            now = monotonic()
            if self._stands_until - now < self._lasts_s * RENEW_AT:
                was_standing = now < self._stands_until
                try:
                    async with self._database.connection() as connection:
                        await connection.execute(sql("accounts/doubt"), self._process, self._lasts_s)
                except TROUBLE as error:
                    log.warning("BALANCES_NOT_DOUBTED", reason=f"{type(error).__name__}: {error}")
                    return
                if not was_standing:
                    self._is_known_at = monotonic() + LOOK_AGE_MAX_S + MARGIN_S
                    log.warning("BALANCES_DOUBTED")
                self._stands_until = now + self._lasts_s
            known_at = self._is_known_at
        # Outside: others wait at the same time, not one after the other.
        await asyncio.sleep(max(known_at - monotonic(), 0))

    async def take_ours_back(self, *, unless: Callable[[], bool]) -> None:
        """Everything that we doubted is out of the cache; unless that changed while we waited for our turn.

        Raises DatabaseUnavailableError, asyncpg.PostgresError; it stands then until its time is over.
        """
        async with self._turn:
            if self._stands_until == 0.0 or unless():
                return
            # First: whoever raises one from here on must not rest on this one.
            self._stands_until = 0.0
            async with self._database.connection() as connection:
                await connection.execute(sql("accounts/trust"), self._process)
            log.info("BALANCES_TRUSTED")

    async def close(self) -> None:
        await self._looks.close()

    async def _look(self, _: str) -> bool:
        async with self._database.connection() as connection:
            return not await connection.fetchval(sql("accounts/doubted"))
