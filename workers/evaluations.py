"""Evaluations: prizes paid and taken back, step by step. What is to be done stands in the draws' results; an event only
says that it is time to look, so that none can come twice, too late or in the wrong order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.logging import Log
from core.queries import sql
from core.till.till import PublishBalance
from workers.metrics import (
    EVALUATION_FAILURES,
    EVALUATION_STEPS,
    EVALUATION_TICKETS_SET_ASIDE,
    EVALUATION_UNMOVED_SECONDS,
    EVALUATIONS_UNDER_WAY,
)
from workers.rounds import Rounds
from workers.troubles import Troubles

# About a tenth of a second; the winners' accounts are held at its end only, for some thousandths.
STEP_TICKETS = 20_000
# Whoever cannot do so many in time tries fewer, down to this.
STEP_TICKETS_MIN = 100
# How many are looked at in a round; of each one step, so that a large draw does not keep the small ones waiting.
UNDER_WAY_MAX = 32
# So many failures of one draw in a row, and the evaluation says that it has failed. With the pauses between about 20 s.
FAILURES_MAX = 8
# SQLSTATE classes of what passes by itself: the server or the connection is not there, two transactions collided, it has
# no resources, somebody holds a lock, it was told to stop. None of these is the draw's fault, however often.
PASSING_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58"})

log = Log("evaluations")


class Evaluations:
    """Any number may run at once; of one draw, one at a time gets on."""

    def __init__(
        self,
        database: Database,
        *,
        publish_balance: PublishBalance,
        flush_balances: Callable[[], Awaitable[None]] | None = None,
        step_tickets: int = STEP_TICKETS,
    ) -> None:
        self.database = database
        self.publish_balance = publish_balance
        self.flush_balances = flush_balances
        self.step_tickets = step_tickets
        self.troubles = Troubles(at_once_min=STEP_TICKETS_MIN)
        self.rounds = Rounds()

    def wake(self) -> None:
        """Something was asked."""
        self.rounds.wake()

    async def run_once(self) -> int:
        """One step of everything that is under way and that nobody else is at; returns how many were made.

        Raises DatabaseUnavailableError when it cannot even be asked what there is.
        """
        resting = self.troubles.resting()
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("evaluations/under_way"), UNDER_WAY_MAX, list(resting))
        show_under_way(rows)
        # Those that rest come last, and so may not be among them.
        self.troubles.forget_others({row["sorteo_id"] for row in rows} | resting)
        return await self.rounds.each(rows, self._try_step)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a step that runs is finished, and none begins."""
        await self.rounds.run(self.run_once, stop=stop, rest_s=self.troubles.rest_s, fail=tell_failure)

    async def _try_step(self, row: asyncpg.Record) -> int:
        """How many steps were made: one, or none. What fails here fails alone, and is tried again later."""
        banca_id, sorteo_id = row["banca_id"], row["sorteo_id"]
        if sorteo_id in self.troubles.resting():
            return 0
        tickets = self.troubles.at_once(sorteo_id, full=self.step_tickets)
        try:
            step = await self._step(banca_id, sorteo_id, tickets)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            await self._note(banca_id, sorteo_id, error, tickets)
            return 0
        self.troubles.overcome(sorteo_id, full=self.step_tickets)
        return 0 if step in {"BUSY", "NOTHING"} else 1

    async def _step(self, banca_id: UUID, sorteo_id: UUID, tickets: int) -> str:
        async with self.database.connection() as connection:
            row = await connection.fetchrow(sql("evaluations/advance"), banca_id, sorteo_id, tickets)
        assert row is not None
        step: str = row["step"]
        EVALUATION_STEPS.labels(step.lower()).inc()
        moved = zip(row["account_ids"], row["balances_cents"], row["balance_versions"], strict=True)
        for account_id, balance_cents, version in moved:
            self.publish_balance(banca_id, account_id, balance_cents=balance_cents, version=version)
        if self.flush_balances is not None:
            # Before the next step says that the draw is evaluated: who hears of it looks at balances.
            await self.flush_balances()
        if step == "SET_ASIDE":
            EVALUATION_TICKETS_SET_ASIDE.inc()
            log.error("EVALUATION_TICKET_FAILED", banca=str(banca_id), sorteo=str(sorteo_id))
        elif step == "FAILED":
            log.error("EVALUATION_FAILED", banca=str(banca_id), sorteo=str(sorteo_id))
        elif step in {"DONE", "REVERTED"}:
            log.info("EVALUATION_ENDED", step=step, banca=str(banca_id), sorteo=str(sorteo_id))
        return step

    async def _note(self, banca_id: UUID, sorteo_id: UUID, error: Exception, tickets: int) -> None:
        EVALUATION_FAILURES.inc()
        trouble = self.troubles.note(sorteo_id, full=self.step_tickets)
        reason = f"{type(error).__name__}: {error}"
        log.error(
            "EVALUATION_STEP_FAILED", sorteo=str(sorteo_id), reason=reason, failures=trouble.failures, tickets=tickets
        )
        if trouble.failures >= FAILURES_MAX and not passes_by_itself(error):
            await self._give_up(banca_id, sorteo_id, reason)

    async def _give_up(self, banca_id: UUID, sorteo_id: UUID, reason: str) -> None:
        """Stop at the draw's result until an administrator has it tried again or takes it back."""
        try:
            async with self.database.connection() as connection:
                given_up = await connection.fetchval(sql("evaluations/fail"), banca_id, sorteo_id, reason)
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            log.warning("EVALUATION_NOT_GIVEN_UP", sorteo=str(sorteo_id), reason=f"{type(error).__name__}: {error}")
            return
        if given_up:
            self.troubles.forget(sorteo_id)
            log.error("EVALUATION_FAILED", banca=str(banca_id), sorteo=str(sorteo_id), reason=reason)


def passes_by_itself(error: Exception) -> bool:
    return not isinstance(error, asyncpg.PostgresError) or (error.sqlstate or "")[:2] in PASSING_CLASSES


async def tell_failure(error: Exception, failures: int) -> None:
    log.warning("EVALUATIONS_WAIT", reason=f"{type(error).__name__}: {error}", failures=failures)


def show_under_way(rows: Sequence[asyncpg.Record]) -> None:
    EVALUATIONS_UNDER_WAY.set(rows[0]["under_way"] if rows else 0)
    EVALUATION_UNMOVED_SECONDS.set(rows[0]["longest_unmoved"].total_seconds() if rows else 0.0)
