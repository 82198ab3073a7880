"""Time zones by their IANA names, for schedules of draws of other countries.

Their rules come from the `tzdata` package, whatever time zones the machine has: a slot of a schedule is known by its
instant, so every process must know the same rules. The package is pinned like the code and read as modules are: once,
when a zone is first named. A change of a country's clock takes a newer package.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from core.domain.calendar import COSTA_RICA

COSTA_RICA_NAME = "America/Costa_Rica"
# A placeholder of the database, no place's time.
_NO_ZONES = frozenset({"Factory"})


class TimeZoneError(ValueError):
    """A name that the tz database does not have; expected one such as America/New_York."""


@cache
def zone_names() -> frozenset[str]:
    """The names of the tz database, case-sensitive; old ones too."""
    listed = files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listed.split()) - _NO_ZONES


def time_zone(name: str) -> tzinfo:
    """Raises TimeZoneError."""
    if name == COSTA_RICA_NAME:
        return COSTA_RICA
    if name not in zone_names():
        raise TimeZoneError(f"there is no time zone {name!r}")
    return _read(name)


@cache
def _read(name: str) -> ZoneInfo:
    # Called with names that exist only, so that the cache stays small and no path is made of a request's text.
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def instant_of(day: date, at: time, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which the zone's clock shows the time on the day.

    A time that the clock skips that day (it is put forward over it) is reckoned by the clock before the change: 02:30 is
    what the new clock calls 03:30. Of a time that comes twice (it is put back) the first is meant. RFC 5545 says the same.
    """
    return datetime.combine(day, at, zone).astimezone(UTC)
