"""Costa Rica's one home: UTC−6 all year. Instants are aware and in UTC; days and weekdays are Costa Rica's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

COSTA_RICA = timezone(timedelta(hours=-6), "America/Costa_Rica")

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


class InstantError(ValueError):
    """A text that names no instant; expected ISO 8601 such as 2026-11-21T03:26:34.123Z."""


def costa_rica_date(instant: datetime) -> date:
    return _aware(instant).astimezone(COSTA_RICA).date()


def costa_rica_weekday(instant: datetime) -> int:
    """0 = Sunday … 6 = Saturday."""
    return costa_rica_date(instant).isoweekday() % 7


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """[start, end) of a Costa Rican day, in UTC: the end is the first instant of the next day."""
    start = datetime.combine(day, time(), COSTA_RICA).astimezone(UTC)
    return start, start + timedelta(days=1)


def parse_instant(text: object) -> datetime:
    """The instant, in UTC. A text without an offset is Costa Rican time. Raises InstantError."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise InstantError("expected an ISO 8601 instant such as 2026-11-21T03:26:34.123Z")
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=COSTA_RICA)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InstantError(f"no such instant: {text}") from error


def format_instant(instant: datetime) -> str:
    """UTC with milliseconds (cut, not rounded): 2026-11-21T03:26:34.123Z."""
    in_utc = instant if instant.tzinfo is UTC else _aware(instant).astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds")[:23] + "Z"


def _aware(instant: datetime) -> datetime:
    # Without this, astimezone would silently take the machine's own time zone.
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant
