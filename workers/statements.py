"""Statements: the days of sellers, ventanas and bancas, computed anew after what changed them. What is to be computed stands
in a table; an event only says that it is time to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.logging import Log
from core.queries import sql
from workers.backoff import backoff_s, wait_for_any
from workers.metrics import (
    STATEMENT_FAILURES,
    STATEMENT_REQUESTS,
    STATEMENT_REQUESTS_WAITING,
    STATEMENT_WAITING_SECONDS,
)
from workers.troubles import Troubles

# Of one call: about a tenth of a second.
REQUESTS_AT_ONCE = 500
# Whoever cannot do so many in time tries fewer, down to this: one change may concern years of days.
REQUESTS_AT_ONCE_MIN = 5
# How many bancas are looked at in a round; of each one call, so that a large one does not keep the small ones waiting.
BANCAS_AT_ONCE = 64
# What nobody told of, or what a dead worker left, is found so late at most.
LOOK_EVERY_S = 5.0

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
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something changed."""
        self._news.set()

    async def run_once(self) -> int:
        """One call for every banca that has work; returns how many requests were worked off.

        Raises DatabaseUnavailableError when it cannot even be asked what there is.
        """
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("statements/waiting"), BANCAS_AT_ONCE)
        show_waiting(rows)
        self.troubles.forget_others(row["banca_id"] for row in rows)
        return sum([await self._try_banca(row["banca_id"]) for row in rows])

    async def _try_banca(self, banca_id: UUID) -> int:
        """How many requests were worked off. What fails here fails alone, and is tried again later."""
        if banca_id in self.troubles.resting():
            return 0
        requests = self.troubles.at_once(banca_id, full=self.requests_at_once)
        try:
            async with self.database.connection() as connection:
                done: int = await connection.fetchval(sql("statements/recompute"), banca_id, requests, self.at)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            self._note(banca_id, error, requests)
            return 0
        self.troubles.overcome(banca_id, full=self.requests_at_once)
        STATEMENT_REQUESTS.inc(done)
        return done

    def _note(self, banca_id: UUID, error: Exception, requests: int) -> None:
        STATEMENT_FAILURES.inc()
        trouble = self.troubles.note(banca_id, full=self.requests_at_once)
        reason = f"{type(error).__name__}: {error}"
        log.error("STATEMENTS_FAILED", banca=str(banca_id), reason=reason, failures=trouble.failures, requests=requests)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a call that runs is finished."""
        failures = 0
        while not stop.is_set():
            self._news.clear()
            try:
                done = await self.run_once()
            except Exception as error:
                failures += 1
                STATEMENT_FAILURES.inc()
                log.warning("STATEMENTS_WAIT", reason=f"{type(error).__name__}: {error}", failures=failures)
                await wait_for_any([stop, self._news], backoff_s(failures))
                continue
            failures = 0
            if done == 0:
                await wait_for_any([stop, self._news], self.troubles.rest_s(LOOK_EVERY_S))


def show_waiting(rows: Sequence[asyncpg.Record]) -> None:
    STATEMENT_REQUESTS_WAITING.set(sum(row["waiting"] for row in rows))
    STATEMENT_WAITING_SECONDS.set(rows[0]["oldest"].total_seconds() if rows else 0.0)
