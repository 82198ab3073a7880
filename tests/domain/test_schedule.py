"""The examples SCH of §14.7."""

from typing import Any

import pytest

from core.domain.calendar import format_instant, parse_instant
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
