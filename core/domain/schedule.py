"""When a lottery is drawn (§4.1.1): the occurrences that its rulesJson describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple, cast

from core.domain.calendar import costa_rica_date, costa_rica_minute, day_bounds

OCCURRENCES_MAX = 500


class Occurrence(NamedTuple):
    scheduled_at: datetime
    name: str


def occurrences(
    rules: Mapping[str, object],
    *,
    loteria_name: str,
    start: datetime,
    days: int,
    occurrences_max: int = OCCURRENCES_MAX,
) -> list[Occurrence]:
    """By time, each instant once: from Costa Rica's midnight before start to midnight `days` later, both included.

    rules: rulesJson that validate_loteria_rules has nothing against.
    """
    first, last = range_bounds(start, days)
    found = {
        at for block in _blocks(rules) for at in _of_block(block, costa_rica_date(start), days) if first <= at <= last
    }
    return [Occurrence(at, occurrence_name(loteria_name, at)) for at in sorted(found)[:occurrences_max]]


def range_bounds(start: datetime, days: int) -> tuple[datetime, datetime]:
    """Costa Rica's midnight before start, and midnight `days` later; both are included."""
    first = costa_rica_date(start)
    return day_bounds(first)[0], day_bounds(first + timedelta(days=days))[0]


def occurrence_name(loteria_name: str, at: datetime) -> str:
    """The lottery and Costa Rica's time of the draw: "Tica 19:30"."""
    minute = costa_rica_minute(at)
    return f"{loteria_name} {minute // 60:02d}:{minute % 60:02d}"


def opens_by_job(rules: Mapping[str, object]) -> bool:
    return rules.get("autoOpenEnabled") is True


def is_made_by_job(rules: Mapping[str, object]) -> bool:
    """autoCreateSorteos: how the lottery says it where it does not say autoCreateEnabled."""
    return rules.get("autoCreateEnabled", rules.get("autoCreateSorteos")) is True


def _blocks(rules: Mapping[str, object]) -> list[Mapping[str, object]]:
    several, single = rules.get("drawSchedules"), rules.get("drawSchedule")
    if several:
        return cast("list[Mapping[str, object]]", several)
    return [cast("Mapping[str, object]", single)] if single else []


def _of_block(block: Mapping[str, object], first: date, days: int) -> Iterator[datetime]:
    weekdays = cast("list[int]", block.get("daysOfWeek") or range(7))
    is_daily = block.get("frequency") == "diario"
    for offset in range(days + 1):
        day = first + timedelta(days=offset)
        if is_daily or day.isoweekday() % 7 in weekdays:
            midnight = day_bounds(day)[0]
            for text in cast("list[str]", block.get("times") or ()):
                yield midnight + timedelta(hours=int(text[:2]), minutes=int(text[3:]))
