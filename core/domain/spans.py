"""Stretches of time in which an answer stays the same: days, hours and sales hours of Costa Rica."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from core.domain.calendar import costa_rica_date, day_bounds

_DAY = timedelta(days=1)
# A weekly opening repeats after seven days; one more on each side joins what touches.
_DAYS_LOOKED_AT = 8


class Span(NamedTuple):
    """[start, end); None leaves that end open."""

    start: datetime | None
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


ALWAYS = Span(None, None)


def meet(spans: Iterable[Span]) -> Span:
    """What all of them have in common."""
    starts, ends = zip(*spans, strict=True) if (spans := tuple(spans)) else ((), ())
    return Span(latest(starts), earliest(ends))


def latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def in_window(day: date | None, hour: int | None, *, at: datetime) -> tuple[bool, Span]:
    """Whether at lies on the day and in the hour (None: on any), and how long that stays so."""
    if day is not None:
        start, end = day_bounds(day)
        if hour is not None:
            start += timedelta(hours=hour)
            end = start + timedelta(hours=1)
        if at < start:
            return False, Span(None, start)
        return (True, Span(start, end)) if at < end else (False, Span(end, None))
    if hour is None:
        return True, ALWAYS
    start = day_bounds(costa_rica_date(at))[0] + timedelta(hours=hour)
    end = start + timedelta(hours=1)
    if at < start:
        return False, Span(end - _DAY, start)
    return (True, Span(start, end)) if at < end else (False, Span(end, start + _DAY))


def in_sales_hours(hours: Mapping[int, tuple[int, int]], *, at: datetime) -> tuple[bool, Span]:
    """Whether at is in the week's opening hours (as LoteriaRules has them), and how long that stays so."""
    if not hours:
        return True, ALWAYS
    today = costa_rica_date(at)
    before: datetime | None = None
    for opening in _openings(hours, today):
        if opening.start is not None and at < opening.start:
            return False, Span(before, opening.start)
        if opening.end is None or at < opening.end:
            return True, opening
        before = opening.end
    raise AssertionError("every day has an opening")


def _openings(hours: Mapping[int, tuple[int, int]], today: date) -> list[Span]:
    """In order, with those that touch joined; what reaches the edge of the days looked at has no end there."""
    joined: list[tuple[datetime, datetime]] = []
    for offset in range(-_DAYS_LOOKED_AT, _DAYS_LOOKED_AT + 1):
        day = today + offset * _DAY
        midnight = day_bounds(day)[0]
        first, last = hours.get(day.isoweekday() % 7, (0, 24 * 60 - 1))
        start, end = midnight + timedelta(minutes=first), midnight + timedelta(minutes=last + 1)
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    edge_start = day_bounds(today - _DAYS_LOOKED_AT * _DAY)[0]
    edge_end = day_bounds(today + _DAYS_LOOKED_AT * _DAY)[1]
    return [Span(None if s == edge_start else s, None if e == edge_end else e) for s, e in joined]
