"""When a lottery is drawn (§4.1.1): the occurrences that its rulesJson describes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple, cast

from core.domain.calendar import costa_rica_date, costa_rica_minute, day_bounds
from core.domain.time_zones import COSTA_RICA_NAME, instant_of, time_zone

OCCURRENCES_MAX = 500
# No clock is further ahead of UTC; a day more, for what a clock skips.
FURTHEST_EAST = timedelta(hours=14, days=1)


class Occurrence(NamedTuple):
    """time_zone: whose clock the schedule goes by; the name is Costa Rica's time whatever that is."""

    scheduled_at: datetime
    name: str
    time_zone: str = COSTA_RICA_NAME


def occurrences(
    rules: Mapping[str, object],
    *,
    loteria_name: str,
    start: datetime,
    days: int,
    occurrences_max: int = OCCURRENCES_MAX,
) -> list[Occurrence]:
    """By time, each instant once: from Costa Rica's midnight before start to midnight `days` later, both included.

    Times and weekdays of a block are those of its timeZone, by default Costa Rica's. An instant that several blocks
    describe is the first one's.
    rules: rulesJson that validate_loteria_rules has nothing against.
    """
    first, last = range_bounds(start, days)
    blocks = [_read(block) for block in _blocks(rules)]
    places: dict[datetime, int] = {}
    # A zone's days are not Costa Rica's: the range may begin on the day before, and end on the day after.
    for offset in range(-1, days + 2):
        day = costa_rica_date(start) + timedelta(days=offset)
        for place, block in enumerate(blocks):
            for at in block.instants(day):
                if first <= at <= last:
                    places[at] = min(places.get(at, place), place)
        # Many blocks of many times fill a few days; the days after them need not be looked at.
        complete_until = _all_before(day)
        if sum(at < complete_until for at in places) >= occurrences_max:
            break
    found = sorted(places)[:occurrences_max]
    return [Occurrence(at, occurrence_name(loteria_name, at), blocks[places[at]].zone_name) for at in found]


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


class _Block(NamedTuple):
    """weekdays: 0 = Sunday."""

    weekdays: Collection[int]
    times: Sequence[time]
    zone_name: str
    zone: tzinfo

    def instants(self, day: date) -> Iterator[datetime]:
        """Of the zone's day."""
        if day.isoweekday() % 7 in self.weekdays:
            for at in self.times:
                yield instant_of(day, at, self.zone)


def _read(block: Mapping[str, object]) -> _Block:
    every_day = range(7)
    weekdays = cast("list[int]", block.get("daysOfWeek") or every_day)
    texts = cast("list[str]", block.get("times") or ())
    named = cast("str | None", block.get("timeZone"))
    zone_name = COSTA_RICA_NAME if named is None else named
    return _Block(
        every_day if block.get("frequency") == "diario" else weekdays,
        [time(int(text[:2]), int(text[3:])) for text in dict.fromkeys(texts)],
        zone_name,
        time_zone(zone_name),
    )


def _all_before(day: date) -> datetime:
    """What is before it lies on this day or an earlier one in every zone of the world."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) - FURTHEST_EAST
