from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.calendar import (
    InstantError,
    business_date,
    costa_rica_date,
    costa_rica_minute,
    costa_rica_weekday,
    day_bounds,
    format_instant,
    month_to,
    parse_date,
    parse_instant,
    week_of,
    year_of,
)

# From the second on when Costa Rica gave up its last experiment with summer time.
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(
    lambda later: datetime(1993, 1, 1, tzinfo=UTC) + later
)


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2026-01-16T05:59:59Z", date(2026, 1, 15)), ("2026-01-16T06:00:00Z", date(2026, 1, 16))],
)
def test_tz_1_the_day_changes_at_six_utc(instant: str, day: date) -> None:
    assert costa_rica_date(parse_instant(instant)) == day


def test_tz_2_a_day_lasts_until_the_millisecond_before_the_next() -> None:
    start, end = day_bounds(date(2026, 1, 15))
    assert format_instant(start) == "2026-01-15T06:00:00.000Z"
    assert format_instant(end - timedelta(milliseconds=1)) == "2026-01-16T05:59:59.999Z"


def test_tz_4_a_week_lasts_from_monday_to_sunday() -> None:
    assert week_of(date(2026, 1, 18)) == week_of(date(2026, 1, 12)) == (date(2026, 1, 12), date(2026, 1, 18))


def test_tz_5_a_month_lasts_until_today_and_a_year_until_its_end() -> None:
    assert month_to(date(2026, 1, 15)) == (date(2026, 1, 1), date(2026, 1, 15))
    assert year_of(date(2026, 1, 15)) == (date(2026, 1, 1), date(2026, 12, 31))
    assert year_of(date(2028, 2, 29)) == (date(2028, 1, 1), date(2028, 12, 31))


def test_tz_7_without_a_draw_the_business_day_begins_at_the_cutoff_hour() -> None:
    now = parse_instant("2026-01-15T08:30Z")
    assert business_date(None, now=now, cutoff_minute=4 * 60) == date(2026, 1, 14)
    assert business_date(None, now=now) == date(2026, 1, 15)
    assert business_date(None, now=parse_instant("2026-01-15T06:00Z")) == date(2026, 1, 15)
    assert business_date(None, now=parse_instant("2026-01-15T05:59Z")) == date(2026, 1, 14)
    assert business_date(parse_instant("2026-01-20T01:30Z"), now=now, cutoff_minute=4 * 60) == date(2026, 1, 19)


def test_the_minute_of_the_day_starts_at_costa_ricas_midnight() -> None:
    assert costa_rica_minute(parse_instant("2026-01-15T06:00Z")) == 0
    assert costa_rica_minute(parse_instant("2026-01-15T05:59:59Z")) == 1439


@pytest.mark.parametrize("text", ["", "2026-13-01", "2026-02-30", "1999-12-31", "2100-01-01", "2026-1-5", 20260115])
def test_what_names_no_day_of_this_century_is_refused(text: object) -> None:
    with pytest.raises(InstantError):
        parse_date(text)


@given(INSTANTS)
def test_the_fixed_offset_is_what_the_zone_database_says(instant: datetime) -> None:
    assert costa_rica_date(instant) == instant.astimezone(ZoneInfo("America/Costa_Rica")).date()
    start, end = day_bounds(costa_rica_date(instant))
    assert start <= instant < end


@pytest.mark.parametrize(("day", "weekday"), [("2026-01-18", 0), ("2026-01-15", 4), ("2026-01-17", 6)])
def test_weekdays_count_from_sunday(day: str, weekday: int) -> None:
    assert costa_rica_weekday(parse_instant(f"{day}T00:00")) == weekday
    assert costa_rica_weekday(parse_instant(f"{day}T23:59:59.999999")) == weekday


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-15T19:30", "2026-01-16T01:30:00.000Z"),
        ("2026-01-15 19:30:00", "2026-01-16T01:30:00.000Z"),
        ("2026-01-15T19:30:00Z", "2026-01-15T19:30:00.000Z"),
        ("2026-01-15T19:30:00.5+02:00", "2026-01-15T17:30:00.500Z"),
        ("2026-11-21T03:26:34.123456+00:00", "2026-11-21T03:26:34.123Z"),
        ("2026-11-21T03:26:34.12-06:00", "2026-11-21T09:26:34.120Z"),
    ],
)
def test_without_an_offset_a_text_is_costa_rican_time(text: str, utc: str) -> None:
    instant = parse_instant(text)
    assert instant.tzinfo is UTC
    assert format_instant(instant) == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "2026-01-15",
        "2026-13-01T00:00Z",
        "2026-02-30T00:00Z",
        "2026-01-15T25:00Z",
        "2026-01-15T24:00:00Z",
        "20260115T193000Z",
        "2026-W03-4T00:00",
        "2026-01-15T19:30:00+0200",
        "2026-01-15T19:30z",
        " 2026-01-15T19:30Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59",
        "2026-01-15T19:30:00.1234567Z",
        1768505400,
        None,
    ],
)
def test_what_names_no_instant_is_refused(text: object) -> None:
    with pytest.raises(InstantError):
        parse_instant(text)


@given(INSTANTS)
def test_what_is_written_is_read_back_to_the_millisecond(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def test_instants_of_any_zone_are_written_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert format_instant(datetime(2026, 1, 15, 9, tzinfo=tokyo)) == "2026-01-15T00:00:00.000Z"


@pytest.mark.parametrize("take", [costa_rica_date, costa_rica_weekday, format_instant])
def test_a_naive_datetime_is_nobodys_time(take: Callable[[datetime], object]) -> None:
    with pytest.raises(ValueError, match="aware"):
        take(datetime(2026, 1, 15))  # noqa: DTZ001 — that is the point
