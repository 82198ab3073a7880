"""What happened on a day of a statement, one after the other, with the balance that each event left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """In the order in which events of one instant follow each other.

    posted_later: what was found out about the day after it was closed, and is therefore told on a later one.
    write_off: cash out over a corrected result that the banca bears. cash_memo: such cash while it is out; it stands on the
    day of its draw and changes no balance.
    """

    INITIAL_BALANCE = "initial_balance"
    SORTEO = "sorteo"
    PAYMENT = "payment"
    COLLECTION = "collection"
    WRITE_OFF = "write_off"
    CORRECTION = "correction"
    POSTED_LATER = "posted_later"
    CASH_MEMO = "cash_memo"


_PLACES = {kind: place for place, kind in enumerate(EventType)}


@dataclass(frozen=True, slots=True)
class StatementEvent:
    """day: whose statement tells it. balance_cents: by how much the balance changed. members: what else is told of it."""

    id: str
    type: EventType
    day: date
    at: datetime
    balance_cents: int
    members: Mapping[str, Any]


def running(
    events: Iterable[StatementEvent], *, openings: Mapping[date, int]
) -> Iterator[tuple[int, StatementEvent, int]]:
    """(1, 2, …, the event, the balance after it), the earliest first; what was carried over before everything else.

    openings: what each day begins with; a day without one goes on from the event before.
    """
    balance_cents, today = 0, None
    for index, event in enumerate(sorted(events, key=_order), start=1):
        if event.day != today:
            today, balance_cents = event.day, openings.get(event.day, balance_cents)
        balance_cents += event.balance_cents
        yield index, event, balance_cents


def _order(event: StatementEvent) -> tuple[date, bool, datetime, int, str]:
    return (event.day, event.type is not EventType.INITIAL_BALANCE, event.at, _PLACES[event.type], event.id)
