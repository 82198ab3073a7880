"""Statements: the days of sellers, ventanas and bancas, computed anew after what changed them. What is to be computed stands
in a table; an event only says that it is time to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.logging import Log
from core.queries import sql
from workers.job_errors import failed_day
from workers.metrics import (
    STATEMENT_FAILURES,
    STATEMENT_REQUESTS,
    STATEMENT_REQUESTS_WAITING,
    STATEMENT_WAITING_SECONDS,
)
from workers.rounds import Rounds
from workers.troubles import Troubles

# Of one call: about a tenth of a second.
REQUESTS_AT_ONCE = 500
# Whoever cannot do so many in time tries fewer, down to this, and then sets it aside for a while: one change may concern
# years of days.
REQUESTS_AT_ONCE_MIN = 1
# How many bancas are looked at in a round; of each one call, so that a large one does not keep the small ones waiting.
BANCAS_AT_ONCE = 64

log = Log("statements")


class Statements:
    """Any number may run at once; what one is at, the others pass over."""

    def __init__(
        self, database: Database, *, requests_at_once: int = REQUESTS_AT_ONCE, at: datetime | None = None
    ) -> None:
        """at: what time it is, where a test says so; the database's clock otherwise."""
        self.database = database
        self.at = at
        self.requests_at_once = requests_at_once
        self.troubles = Troubles(at_once_min=REQUESTS_AT_ONCE_MIN)
        self.rounds = Rounds()

    def wake(self) -> None:
        """Something changed."""
        self.rounds.wake()

    async def run_once(self) -> int:
        """One call for every banca that has work; returns how many requests were worked off.

        Raises DatabaseUnavailableError when it cannot even be asked what there is.
        """
        resting = self.troubles.resting()
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("statements/waiting"), BANCAS_AT_ONCE, list(resting), self.at)
        show_waiting(rows)
        # Those that rest come last, and so may not be among them.
        self.troubles.forget_others({row["banca_id"] for row in rows} | resting)
        return await self.rounds.each((row["banca_id"] for row in rows if row["is_ready"]), self._try_banca)

    async def _try_banca(self, banca_id: UUID) -> int:
        """How many requests were worked off. What fails here fails alone, and is tried again later."""
        requests = self.troubles.at_once(banca_id, full=self.requests_at_once)
        try:
            async with self.database.connection() as connection:
                row = await connection.fetchrow(sql("statements/recompute"), banca_id, requests, self.at)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            self._note(banca_id, error, requests)
            await self._set_aside(banca_id, is_alone=requests == REQUESTS_AT_ONCE_MIN)
            return 0
        assert row is not None, "recompute_statements gives one row"
        self.troubles.overcome(banca_id, full=self.requests_at_once)
        for failure in row["failures"]:
            tell_failed_day(banca_id, failure)
        done: int = row["done"]
        STATEMENT_REQUESTS.inc(done)
        return done

    async def _set_aside(self, banca_id: UUID, *, is_alone: bool) -> None:
        """The request that is next, or that failed before; not while the database does not answer."""
        try:
            async with self.database.connection() as connection:
                await connection.execute(sql("statements/rest_next"), banca_id, self.at, is_alone)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            log.warning("STATEMENT_NOT_SET_ASIDE", banca=str(banca_id), reason=f"{type(error).__name__}: {error}")

    def _note(self, banca_id: UUID, error: Exception, requests: int) -> None:
        STATEMENT_FAILURES.inc()
        trouble = self.troubles.note(banca_id, full=self.requests_at_once)
        reason = f"{type(error).__name__}: {error}"
        log.error("STATEMENTS_FAILED", banca=str(banca_id), reason=reason, failures=trouble.failures, requests=requests)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a call that runs is finished, and none begins."""
        await self.rounds.run(self.run_once, stop=stop, rest_s=self.troubles.rest_s, fail=tell_failure)


async def tell_failure(error: Exception, failures: int) -> None:
    STATEMENT_FAILURES.inc()
    log.warning("STATEMENTS_WAIT", reason=f"{type(error).__name__}: {error}", failures=failures)


def tell_failed_day(banca_id: UUID, failure: Mapping[str, str]) -> None:
    """Of a day whose data cannot be computed; it is tried again later."""
    STATEMENT_FAILURES.inc()
    log.error("STATEMENT_FAILED", banca=str(banca_id), **failed_day(failure))


def show_waiting(rows: Sequence[asyncpg.Record]) -> None:
    """rows: each has what waits of all bancas."""
    STATEMENT_REQUESTS_WAITING.set(rows[0]["waiting"] if rows else 0)
    STATEMENT_WAITING_SECONDS.set(rows[0]["oldest"].total_seconds() if rows else 0.0)
