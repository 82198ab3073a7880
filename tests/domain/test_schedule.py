"""The examples SCH, and schedules that go by another country's clock."""

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from core.domain import time_zones
from core.domain.calendar import COSTA_RICA, format_instant, parse_instant
from core.domain.loteria_rules import validate_loteria_rules
from core.domain.schedule import is_made_by_job, occurrences, opens_by_job

START = parse_instant("2026-01-15T10:00")
TWICE_A_WEEK = {"frequency": "semanal", "daysOfWeek": [1, 4], "times": ["12:55", "19:30"]}


def found(rules: dict[str, Any], *, days: int = 7, occurrences_max: int = 500) -> list[str]:
    assert validate_loteria_rules(rules) == []
    all_of_them = occurrences(rules, loteria_name="Tica", start=START, days=days, occurrences_max=occurrences_max)
    assert all(one.name.startswith("Tica ") for one in all_of_them)
    return [f"{format_instant(one.scheduled_at)[:16]} {one.name[5:]}" for one in all_of_them]


def test_sch_1_a_week_of_two_days_and_two_times_ends_at_its_last_midnight() -> None:
    assert found({"drawSchedule": TWICE_A_WEEK}) == [
        "2026-01-15T18:55 12:55",
        "2026-01-16T01:30 19:30",
        "2026-01-19T18:55 12:55",
        "2026-01-20T01:30 19:30",
    ]


@pytest.mark.parametrize("rules", [{}, {"drawSchedule": {"frequency": "diario"}}, {"drawSchedules": []}])
def test_sch_3_without_times_there_is_no_draw(rules: dict[str, Any]) -> None:
    assert found(rules) == []


def test_midnight_at_the_end_is_still_in() -> None:
    assert found({"drawSchedule": {"frequency": "diario", "times": ["00:00", "00:01"]}}, days=1) == [
        "2026-01-15T06:00 00:00",
        "2026-01-15T06:01 00:01",
        "2026-01-16T06:00 00:00",
    ]


def test_several_blocks_take_the_place_of_the_one_and_meet_once() -> None:
    daily = {"frequency": "diario", "times": ["19:30"]}
    blocks = {"drawSchedule": {"times": ["01:00"]}, "drawSchedules": [daily, TWICE_A_WEEK]}
    assert found(blocks, days=1) == ["2026-01-15T18:55 12:55", "2026-01-16T01:30 19:30"]


def test_there_is_a_limit() -> None:
    assert len(found({"drawSchedule": {"frequency": "diario", "times": ["12:00"]}}, days=365, occurrences_max=10)) == 10


@pytest.mark.parametrize(
    ("rules", "is_made", "is_opened"),
    [
        ({}, False, False),
        ({"autoCreateEnabled": True}, True, False),
        ({"autoCreateSorteos": True}, True, False),
        ({"autoCreateSorteos": True, "autoCreateEnabled": False}, False, False),
        ({"autoCreateSorteos": False, "autoCreateEnabled": True}, True, False),
        ({"autoCreateEnabled": False}, False, False),
        ({"autoOpenEnabled": True}, False, True),
        ({"autoOpenEnabled": False}, False, False),
    ],
)
def test_a_lottery_says_which_jobs_work_for_it(rules: dict[str, bool], is_made: bool, is_opened: bool) -> None:
    assert validate_loteria_rules(rules) == []
    assert (is_made_by_job(rules), opens_by_job(rules)) == (is_made, is_opened)


def described(start: str, days: int, *blocks: dict[str, Any]) -> list[tuple[str, str]]:
    """(UTC, Costa Rica's time as the name has it)"""
    rules = {"drawSchedules": list(blocks)}
    assert validate_loteria_rules(rules) == []
    found = occurrences(rules, loteria_name="T", start=parse_instant(start), days=days)
    return [(format_instant(one.scheduled_at)[:16], one.name[2:]) for one in found]


NEW_YORK = {"frequency": "diario", "timeZone": "America/New_York"}


def test_a_draw_of_another_country_keeps_its_hour_there_when_the_clock_changes() -> None:
    block = {**NEW_YORK, "times": ["14:30"]}
    # Forward on 8 March 2026, back on 1 November: an hour earlier in Costa Rica, and later again.
    assert described("2026-03-07T00:00", 1, block) == [("2026-03-07T19:30", "13:30")]
    assert described("2026-03-08T00:00", 1, block) == [("2026-03-08T18:30", "12:30")]
    assert described("2026-10-31T00:00", 2, block) == [("2026-10-31T18:30", "12:30"), ("2026-11-01T19:30", "13:30")]


def test_a_time_that_the_clock_skips_is_drawn_by_the_clock_before_the_change() -> None:
    # 02:30 does not come that night; 03:30 by the new clock is the same instant, and one draw.
    assert described("2026-03-08T00:00", 1, {**NEW_YORK, "times": ["02:30", "03:30", "03:29"]}) == [
        ("2026-03-08T07:29", "01:29"),
        ("2026-03-08T07:30", "01:30"),
    ]


def test_of_a_time_that_comes_twice_the_first_is_drawn() -> None:
    # In the night of 1 November 2026 01:30 comes at 05:30 UTC, and an hour later again.
    assert described("2026-10-31T12:00", 3, {**NEW_YORK, "times": ["01:30"]}) == [
        ("2026-11-01T05:30", "23:30"),
        ("2026-11-02T06:30", "00:30"),
    ]


def test_weekdays_are_those_of_the_schedules_own_zone() -> None:
    # Monday, 12 January 2026, 08:00 in Tokyo is Sunday's 17:00 in Costa Rica.
    monday = {"frequency": "semanal", "daysOfWeek": [1], "times": ["08:00"], "timeZone": "Asia/Tokyo"}
    assert described("2026-01-11T00:00", 7, monday) == [("2026-01-11T23:00", "17:00")]


def test_blocks_of_several_zones_meet_once_and_the_first_names_its_zone() -> None:
    tokyo = {"frequency": "diario", "times": ["08:00"], "timeZone": "Asia/Tokyo"}
    here = {"frequency": "diario", "times": ["17:00", "18:00"]}
    for blocks, zones in (
        ([tokyo, here], ["Asia/Tokyo", "America/Costa_Rica"]),
        ([here, tokyo], ["America/Costa_Rica"] * 2),
    ):
        found = occurrences({"drawSchedules": blocks}, loteria_name="T", start=START, days=1)
        assert [one.time_zone for one in found] == zones


@pytest.mark.parametrize(
    "name",
    ["Mars/Base", "america/new_york", "", " ", "../zones", "/etc/localtime", "Factory", "America", "x" * 65, 7, True],
)
def test_a_time_zone_that_there_is_not_is_refused(name: Any) -> None:
    block = {"times": ["14:30"], "timeZone": name}
    for rules, field in (
        ({"drawSchedule": block}, "drawSchedule.timeZone"),
        ({"drawSchedules": [{"times": []}, block]}, "drawSchedules[1].timeZone"),
    ):
        [violation] = validate_loteria_rules(rules)
        assert violation.field == field
        is_text = isinstance(name, str) and 1 <= len(name) <= 64
        assert violation.code == ("TIME_ZONE_UNKNOWN" if is_text else "INVALID_FIELD")


def test_every_zone_of_the_database_can_be_read_whatever_the_machine_has() -> None:
    zoneinfo.reset_tzpath(to=())
    try:
        time_zones._read.cache_clear()
        assert len(time_zones.zone_names()) > 400
        for name in time_zones.zone_names():
            assert time_zones.time_zone(name).utcoffset(START.replace(tzinfo=None)) is not None
    finally:
        zoneinfo.reset_tzpath()


def test_costa_rica_of_the_database_is_the_calendars() -> None:
    of_database = time_zones._read(time_zones.COSTA_RICA_NAME)
    for days in range(0, 365 * 20, 7):
        at = START + timedelta(days=days)
        assert at.astimezone(of_database).utcoffset() == at.astimezone(COSTA_RICA).utcoffset()


@pytest.mark.parametrize(
    ("block", "days"),
    [
        ({"frequency": "diario"}, range(15, 22)),
        # "diario" is every day, whatever weekdays stand beside it.
        ({"frequency": "diario", "daysOfWeek": [1]}, range(15, 22)),
        ({"frequency": "semanal"}, range(15, 22)),
        ({"daysOfWeek": []}, range(15, 22)),
        ({}, range(15, 22)),
        ({"frequency": "semanal", "daysOfWeek": [0]}, [18]),
        ({"frequency": "personalizado", "daysOfWeek": [6]}, [17]),
        ({"daysOfWeek": [4, 3]}, [15, 21]),
    ],
)
def test_the_weekdays_of_a_week_that_begins_on_a_thursday(block: dict[str, Any], days: Sequence[int]) -> None:
    expected = [f"2026-01-{day}T18:00 12:00" for day in days]
    assert found({"drawSchedule": {**block, "times": ["12:00"]}}, days=7) == expected


def test_an_instant_is_in_utc() -> None:
    at = time_zones.instant_of(date(2026, 1, 15), time(8, 30), time_zones.time_zone("Asia/Tokyo"))
    assert (at, at.tzinfo) == (datetime(2026, 1, 14, 23, 30, tzinfo=UTC), UTC)
