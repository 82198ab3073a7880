"""What later steps made of sold tickets: cancelled, excluded, won, paid. Read apart from what the sale recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from core.database import Database
from core.queries import sql
from core.till.outcomes import TicketPlace


class LinePrize(NamedTuple):
    line: int
    x_hundredths: int
    cents: int


@dataclass(frozen=True, slots=True)
class TicketStanding:
    """stored_status: ACTIVE, CANCELLED or EXCLUDED. prizes: of the result that stands; None while there is none.

    payments: facts as payment_facts (sql/functions/pay_ticket.sql) tells them, of all evaluations, the oldest first.
    evaluation: the one that stands. excluded: lines. memo: facts as cash_memo_facts (sql/functions/cash_memos.sql) tells
    them; None where cash was handed out under no result but the one that stands.
    """

    stored_status: str
    cancelled_at: datetime | None
    restored_at: datetime | None
    evaluation: int | None
    prizes: Sequence[LinePrize] | None
    payments: Sequence[Mapping[str, Any]]
    excluded: frozenset[int]
    memo: Mapping[str, Any] | None = None

    @property
    def status(self) -> str:
        if self.stored_status != "ACTIVE" or self.prizes is None:
            return self.stored_status
        return "PAID" if self.prize_cents > 0 and self.is_closed else "EVALUATED"

    @property
    def prize_cents(self) -> int:
        return sum(prize.cents for prize in self.prizes or ())

    @property
    def standing_payments(self) -> list[Mapping[str, Any]]:
        """Under all results: cash stays on its ticket."""
        return [payment for payment in self.payments if payment["reversedAt"] is None]

    @property
    def paid_cents(self) -> int:
        """What the winner has: less what came back."""
        returned: int = 0 if self.memo is None else self.memo["returnedCents"]
        handed_out: int = sum(payment["amountCents"] for payment in self.standing_payments)
        return handed_out - returned

    @property
    def is_closed(self) -> bool:
        """Paid in full, or what is left was waived: the same as pay_ticket refuses another payment for."""
        waived_of = (payment["waivedOf"] for payment in self.standing_payments)
        return self.paid_cents >= self.prize_cents or self.evaluation in waived_of

    @property
    def has_memo(self) -> bool:
        """Whether cash is or was out above the prize that stands."""
        return self.memo is not None and (self.memo["openCents"] > 0 or bool(self.memo["entries"]))


async def load_standings(
    database: Database, banca_id: UUID, places: Iterable[TicketPlace]
) -> dict[TicketPlace, TicketStanding]:
    """By their places, of one snapshot; one statement. Raises DatabaseUnavailableError."""
    wanted = list(dict.fromkeys(places))
    if not wanted:
        return {}
    async with database.tenant(banca_id) as connection:
        rows = await connection.fetch(
            sql("tickets/standings"),
            banca_id,
            [place.business_date for place in wanted],
            [place.sorteo_id for place in wanted],
            [place.sequence for place in wanted],
        )
    return {TicketPlace(row["business_date"], row["sorteo_id"], row["sequence"]): _standing(row) for row in rows}


def _standing(row: asyncpg.Record) -> TicketStanding:
    prizes = row["prizes"]
    return TicketStanding(
        row["status"],
        row["cancelled_at"],
        row["restored_at"],
        row["evaluation"],
        None if prizes is None else [LinePrize(*prize) for prize in prizes],
        row["payments"],
        frozenset(row["excluded"]),
        row["memo"],
    )
