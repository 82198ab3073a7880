"""Days, hours and sales hours: what holds at an instant, and for how long."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.calendar import costa_rica_minute, costa_rica_weekday, parse_instant
from core.domain.spans import ALWAYS, Span, in_sales_hours, in_window, meet

NOON = parse_instant("2026-01-15T12:00")
INSTANTS = st.timedeltas(timedelta(days=-20), timedelta(days=20)).map(lambda later: NOON + later)
DAYS = st.none() | st.dates(date(2026, 1, 10), date(2026, 1, 20))
HOURS = st.none() | st.integers(0, 23)


def span(start: str | None, end: str | None) -> Span:
    """Costa Rican times."""
    return Span(None if start is None else parse_instant(start), None if end is None else parse_instant(end))


@pytest.mark.parametrize(
    ("day", "hour", "at", "is_in", "holds"),
    [
        (None, None, "2026-01-15T12:00", True, ALWAYS),
        (date(2026, 1, 15), None, "2026-01-15T00:00", True, span("2026-01-15T00:00", "2026-01-16T00:00")),
        (date(2026, 1, 15), None, "2026-01-14T23:59:59.999", False, span(None, "2026-01-15T00:00")),
        (date(2026, 1, 15), None, "2026-01-16T00:00", False, span("2026-01-16T00:00", None)),
        (None, 0, "2026-01-15T00:59:59", True, span("2026-01-15T00:00", "2026-01-15T01:00")),
        (None, 0, "2026-01-15T01:00", False, span("2026-01-15T01:00", "2026-01-16T00:00")),
        (None, 23, "2026-01-15T12:00", False, span("2026-01-15T00:00", "2026-01-15T23:00")),
        (date(2026, 1, 15), 14, "2026-01-15T14:30", True, span("2026-01-15T14:00", "2026-01-15T15:00")),
        (date(2026, 1, 15), 14, "2026-01-16T14:30", False, span("2026-01-15T15:00", None)),
    ],
)
def test_a_window_is_a_day_an_hour_or_both(
    day: date | None, hour: int | None, at: str, is_in: bool, holds: Span
) -> None:
    assert in_window(day, hour, at=parse_instant(at)) == (is_in, holds)


WEEK = {4: (8 * 60, 19 * 60 + 30), 0: (0, 24 * 60 - 1)}


@pytest.mark.parametrize(
    ("at", "is_open", "holds"),
    [
        ("2026-01-15T07:59:59.999999", False, span("2026-01-15T00:00", "2026-01-15T08:00")),
        ("2026-01-15T08:00", True, span("2026-01-15T08:00", "2026-01-15T19:31")),
        ("2026-01-15T19:30:59.999", True, span("2026-01-15T08:00", "2026-01-15T19:31")),
        ("2026-01-15T19:31", False, span("2026-01-15T19:31", "2026-01-16T00:00")),
        # A day that is not in the hours is open, and so is the night between two of them.
        ("2026-01-18T23:59", True, span("2026-01-16T00:00", "2026-01-22T00:00")),
    ],
)
def test_sales_hours_include_their_last_minute(at: str, is_open: bool, holds: Span) -> None:
    assert in_sales_hours(WEEK, at=parse_instant(at)) == (is_open, holds)


def test_a_lottery_that_never_closes_has_no_end() -> None:
    assert in_sales_hours({}, at=NOON) == (True, ALWAYS)
    assert in_sales_hours(dict.fromkeys(range(7), (0, 1439)), at=NOON) == (True, ALWAYS)


@given(DAYS, HOURS, INSTANTS, INSTANTS)
def test_a_window_says_the_same_as_long_as_it_says_it_does(
    day: date | None, hour: int | None, at: datetime, then: datetime
) -> None:
    answer = in_window(day, hour, at=at)
    assert answer[1].holds(at)
    if answer[1].holds(then):
        assert in_window(day, hour, at=then) == answer
    else:
        assert day is not None or hour is not None


MINUTES = st.integers(0, 1439)
WEEKS = st.dictionaries(st.integers(0, 6), st.tuples(MINUTES, MINUTES).map(lambda ends: (min(ends), max(ends))))


@given(WEEKS, INSTANTS, INSTANTS)
def test_sales_hours_are_those_of_the_weekday_and_minute(
    hours: dict[int, tuple[int, int]], at: datetime, then: datetime
) -> None:
    is_open, holds = in_sales_hours(hours, at=at)
    first, last = hours.get(costa_rica_weekday(at), (0, 1439))
    assert is_open == (first <= costa_rica_minute(at) <= last)
    assert holds.holds(at)
    if holds.holds(then):
        assert in_sales_hours(hours, at=then) == (is_open, holds)


def test_spans_meet_in_what_they_share() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert meet([]) == meet([ALWAYS]) == ALWAYS
    assert meet([Span(early, None), Span(None, late), ALWAYS]) == Span(early, late)
