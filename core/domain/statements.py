"""Days of sellers, ventanas and bancas, as statements list them: each day, the quiet ones too, with what it carries on."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Dimension(StrEnum):
    """Whose days they are."""

    VENDEDOR = "VENDEDOR"
    VENTANA = "VENTANA"
    BANCA = "BANCA"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a day, or of several entities together: closing = opening + balance + corrections + paid − collected.

    written_off_cents: of the payouts, what is no prize of a draw of the day. cash_memos_cents: cash that is out over a
    corrected result of a draw of the day; it changes nothing that is owed.
    """

    opening_cents: int = 0
    sales_cents: int = 0
    payouts_cents: int = 0
    listero_commission_cents: int = 0
    vendedor_commission_cents: int = 0
    balance_cents: int = 0
    corrections_cents: int = 0
    paid_cents: int = 0
    collected_cents: int = 0
    ticket_count: int = 0
    written_off_cents: int = 0
    cash_memos_cents: int = 0

    @property
    def closing_cents(self) -> int:
        moved = self.paid_cents - self.collected_cents
        return self.opening_cents + self.balance_cents + self.corrections_cents + moved

    @property
    def is_paid_off(self) -> bool:
        """Tickets were sold, money was handed over, and nothing is left (STM-7)."""
        moved = self.paid_cents > 0 or self.collected_cents > 0
        return self.ticket_count > 0 and self.closing_cents == 0 and moved


@dataclass(frozen=True, slots=True)
class Correction:
    """What was found out about a closed day, and posted on a later one. figures: without opening and corrections."""

    day: date
    figures: Figures
    at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """A day of one entity. created_at: None where nothing happened, and no row is stored.

    corrections: what was posted on it about earlier days.
    settled_through: the entity's last day that is closed.
    """

    entity_id: UUID
    day: date
    figures: Figures
    settled_at: datetime | None = None
    settled_through: date | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    corrections: Sequence[Correction] = ()

    @property
    def is_settled(self) -> bool:
        return self.settled_at is not None or self.figures.is_paid_off

    @property
    def can_edit(self) -> bool:
        return self.settled_through is None or self.day > self.settled_through

    @property
    def says_something(self) -> bool:
        """Whether it is worth a line among others'."""
        return self.created_at is not None or self.figures.closing_cents != 0 or self.figures.cash_memos_cents > 0

    def carried_to(self, day: date) -> Day:
        """A later day on which nothing happened."""
        quiet = Figures(opening_cents=self.figures.closing_cents)
        return Day(self.entity_id, day, quiet, settled_through=self.settled_through)


def listed_days(entity_id: UUID, stored: Sequence[Day], days: Sequence[date]) -> list[Day]:
    """The entity's day for each of the days, which are in order.

    stored: in order; what is earlier than the first of the days counts for what it carries on.
    """
    by_day = {each.day: each for each in stored}
    carried = Day(entity_id, date.min, Figures(), settled_through=stored[-1].settled_through if stored else None)
    carried = next((each for each in reversed(stored) if days and each.day < days[0]), carried)
    found = []
    for day in days:
        carried = by_day.get(day) or carried.carried_to(day)
        found.append(carried)
    return found


def days_to_list(first: date, last: date, *, today: date, stored: Container[date]) -> list[date]:
    """From first to last, both included; of those after today only what is stored."""
    days = (first + timedelta(days=each) for each in range((last - first).days + 1))
    return [day for day in days if day <= today or day in stored]


def summed(figures: Iterable[Figures]) -> Figures:
    """Of different entities on one day."""
    columns = zip(*map(_columns, figures), strict=True)
    return Figures(*map(sum, columns))


def _columns(figures: Figures) -> tuple[int, ...]:
    return (
        figures.opening_cents,
        figures.sales_cents,
        figures.payouts_cents,
        figures.listero_commission_cents,
        figures.vendedor_commission_cents,
        figures.balance_cents,
        figures.corrections_cents,
        figures.paid_cents,
        figures.collected_cents,
        figures.ticket_count,
        figures.written_off_cents,
        figures.cash_memos_cents,
    )
