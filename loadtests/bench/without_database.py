"""W: what the recorder answers when there is no database behind it: everything is sold at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from core.domain.calendar import costa_rica_date
from core.till.order import SaleOrder
from core.till.outcomes import Outcome, TicketPlace, Verdict
from core.till.recorder import Recorder


class MemoryRecorder(Recorder):
    def __init__(self) -> None:
        self._sequences: Counter[UUID] = Counter()

    async def record(
        self,
        banca_id: UUID,  # noqa: ARG002 - the recorder's signature
        orders: Sequence[SaleOrder],
        *,
        at: datetime | None = None,
    ) -> list[Outcome]:
        now = at or datetime.now(UTC)
        day = costa_rica_date(now)
        outcomes = []
        for order in orders:
            sorteo_id = order.priced.draw.id
            self._sequences[sorteo_id] += 1
            place = TicketPlace(day, sorteo_id, self._sequences[sorteo_id])
            outcomes.append(Outcome(Verdict.SOLD, now, None, place))
        return outcomes
