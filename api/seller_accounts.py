"""A seller's account beside its draws: what it owed when each day began, and what else than draws changed that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from api.problems import ProblemError
from api.statement_events import correction_events, initial_event, read_events
from api.statement_readings import days_over, reading_of
from api.statement_targets import Target
from core.domain.statement_events import EventType, StatementEvent
from core.domain.statements import Dimension


@dataclass(frozen=True, slots=True)
class SellerAccount:
    """draws: by the draw's id. openings: cents, by day."""

    draws: Mapping[str, StatementEvent]
    others: Sequence[StatementEvent]
    openings: Mapping[date, int]


NO_ACCOUNT = SellerAccount({}, (), {})


async def read_account(
    connection: Any, banca_id: UUID, target: Target, *, first: date, last: date, uncut: bool
) -> SellerAccount:
    """Of one seller; of somebody else's there is none. On the first of a month what was carried over is an event."""
    assert target.dimension is Dimension.VENDEDOR, "of a seller"
    assert target.entity_id is not None, "of one seller"
    try:
        stored = await days_over(connection, banca_id, target, first=first, last=last, uncut=uncut)
    except ProblemError:
        return NO_ACCOUNT
    days = reading_of(stored).by_entity[target.entity_id]
    events = await read_events(connection, banca_id, target, [target.entity_id], first=first, last=last, uncut=uncut)
    openings = {each.day: each.figures.opening_cents for each in days}
    others = [event for event in events if event.type is not EventType.SORTEO] + correction_events(days)
    if first.day == 1 and first in openings:
        others.append(initial_event(first, openings[first], entity_id=target.entity_id))
        openings[first] = 0
    draws = {event.id: event for event in events if event.type is EventType.SORTEO}
    return SellerAccount(draws, others, openings)
