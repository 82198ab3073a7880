"""One function call per batch, split where one ticket poisons it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from core.database import DatabaseUnavailableError, OutcomeUnknownError, unavailable
from core.logging import Log
from core.till.batch import batch_arguments, outcome_of
from core.till.caller import Caller, UnsendableError
from core.till.order import SaleOrder
from core.till.outcomes import Outcome, Verdict

log = Log("till")

# Data exceptions and integrity violations: one ticket's fault, not the batch's.
POISON_CLASSES = ("22", "23")


class Recorder:
    """Knows sell_tickets and its errors, and nothing of queues."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def record(self, banca_id: UUID, orders: Sequence[SaleOrder], *, at: datetime | None = None) -> list[Outcome]:
        """Judge and record a batch of one banca in one transaction.

        orders: 0 or more, keys distinct per actor and per terminal. at: decides the cutoff where the owner's
        instance.test_clock allows it; else the database's clock does.
        Returns one Outcome per order, same order. Raises DatabaseUnavailableError when nothing was written,
        OutcomeUnknownError when the commit's fate is not known.
        Source: sql/functions/sell_tickets.sql.
        """
        try:
            rows = await self._caller.call("tickets/sell", banca_id, *batch_arguments(orders), at)
        except (asyncpg.PostgresError, UnsendableError) as error:
            if not _is_poison(error):
                raise unavailable(error) from error
            if len(orders) == 1:
                log.error("TICKET_REJECTED", request_id=orders[0].request_id, error=error, key=orders[0].key)
                return [Outcome(Verdict.REJECTED, datetime.now(UTC))]
            return await self._record_halves(banca_id, orders, at)
        assert len(rows) == len(orders), "sell_tickets answers every ticket once"
        return [outcome_of(row) for row in rows]

    async def _record_halves(self, banca_id: UUID, orders: Sequence[SaleOrder], at: datetime | None) -> list[Outcome]:
        middle = len(orders) // 2
        first = await self.record(banca_id, orders[:middle], at=at)
        try:
            return first + await self.record(banca_id, orders[middle:], at=at)
        except DatabaseUnavailableError as error:
            # The first half is committed; to its callers "nothing was written" would be a lie.
            raise OutcomeUnknownError("a part of the batch was recorded") from error


def _is_poison(error: asyncpg.PostgresError | UnsendableError) -> bool:
    return isinstance(error, UnsendableError) or (error.sqlstate or "")[:2] in POISON_CLASSES
