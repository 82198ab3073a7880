"""§4.1.1 for any schedule: what the occurrences of a range are."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.domain.calendar import COSTA_RICA, costa_rica_date, day_bounds, parse_instant
from core.domain.loteria_rules import validate_loteria_rules
from core.domain.schedule import occurrences, range_bounds
from core.domain.time_zones import time_zone

times = st.builds(lambda hour, minute: f"{hour:02d}:{minute:02d}", st.integers(0, 23), st.sampled_from([0, 30, 55]))
blocks = st.fixed_dictionaries(
    {"times": st.lists(times, max_size=4)},
    optional={
        "frequency": st.sampled_from(["diario", "semanal", "personalizado"]),
        "daysOfWeek": st.lists(st.integers(0, 6), max_size=7),
    },
)
# West and east of Costa Rica, with and without summer time, of half an hour, and as far as zones go.
ZONES = st.sampled_from(
    [
        *("America/Costa_Rica", "America/New_York", "America/Santiago", "Europe/Madrid", "Asia/Tokyo"),
        *("Australia/Lord_Howe", "Pacific/Kiritimati", "Etc/GMT+12"),
    ]
)
blocks_of_zones = st.tuples(blocks, ZONES).map(lambda pair: {**pair[0], "timeZone": pair[1]})
rules_of_draws = st.one_of(
    st.fixed_dictionaries({"drawSchedule": blocks}),
    st.fixed_dictionaries({"drawSchedules": st.lists(blocks, max_size=3)}),
)
rules_of_zones = st.one_of(
    rules_of_draws, st.fixed_dictionaries({"drawSchedules": st.lists(blocks_of_zones, max_size=3)})
)
starts = st.integers(0, 60 * 24 * 40).map(
    lambda minutes: parse_instant("2026-02-15T00:00") + timedelta(minutes=minutes)
)


def instants(rules: dict[str, Any], start: datetime, days: int, *, most: int = 10_000) -> list[datetime]:
    found = occurrences(rules, loteria_name="Tica", start=start, days=days, occurrences_max=most)
    assert all(one.name == f"Tica {one.scheduled_at.astimezone(COSTA_RICA):%H:%M}" for one in found)
    return [one.scheduled_at for one in found]


@given(rules_of_draws, starts, st.integers(1, 31))
def test_occurrences_are_in_order_once_each_and_within_their_days(
    rules: dict[str, Any], start: datetime, days: int
) -> None:
    assert validate_loteria_rules(rules) == []
    found = instants(rules, start, days)
    first = costa_rica_date(start)
    assert found == sorted(set(found))
    assert all(day_bounds(first)[0] <= at <= day_bounds(first + timedelta(days=days))[0] for at in found)
    wanted = {time for block in [rules.get("drawSchedule") or {}, *rules.get("drawSchedules", [])]
              for time in block.get("times", [])}  # fmt: skip
    assert {f"{at.astimezone(COSTA_RICA):%H:%M}" for at in found} <= wanted


@given(rules_of_zones, starts, st.integers(1, 30), st.integers(1, 20))
def test_a_longer_range_begins_with_the_shorter_and_a_limit_cuts_its_end(
    rules: dict[str, Any], start: datetime, days: int, most: int
) -> None:
    found = instants(rules, start, days)
    assert instants(rules, start, days + 1)[: len(found)] == found
    assert instants(rules, start, days, most=most) == found[:most]


@given(rules_of_zones, starts, st.integers(1, 7), st.integers(1, 7))
def test_two_ranges_that_meet_are_the_range_of_both(
    rules: dict[str, Any], start: datetime, days: int, more: int
) -> None:
    later = instants(rules, start + timedelta(days=days), more)
    assert sorted({*instants(rules, start, days), *later}) == instants(rules, start, days + more)


@given(blocks_of_zones, starts, st.integers(1, 20))
def test_a_zones_own_clock_shows_the_times_that_its_schedule_says_on_each_of_its_days(
    block: dict[str, Any], start: datetime, days: int
) -> None:
    zone = time_zone(block["timeZone"])
    local = [at.astimezone(zone) for at in instants({"drawSchedule": block}, start, days)]
    weekdays = range(7) if block.get("frequency") == "diario" else block.get("daysOfWeek") or range(7)
    # Without the nights in which the clock changes: the examples say what becomes of these.
    nights = {at.date() for at in local if changes_on(zone, at)}
    shown = {(at.date(), f"{at:%H:%M}") for at in local if at.date() not in nights}
    assert all(day.isoweekday() % 7 in weekdays for day, _ in shown)
    for day in {day for day, _ in shown}:
        times_of_day = {shown_time for each, shown_time in shown if each == day}
        assert times_of_day <= set(block["times"])
        is_whole = all(
            range_bounds(start, days)[0] <= at <= range_bounds(start, days)[1]
            for at in (datetime.combine(day, time(), zone), datetime.combine(day, time(23, 59), zone))
        )
        if is_whole:
            assert times_of_day == set(block["times"])


def changes_on(zone: tzinfo, at: datetime) -> bool:
    midnight = datetime.combine(at.date(), time(), zone)
    return midnight.utcoffset() != datetime.combine(at.date() + timedelta(days=1), time(), zone).utcoffset()
