"""Costa Rica's one home: UTC−6 all year. Instants are aware and in UTC; days and weekdays are Costa Rica's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

COSTA_RICA = timezone(timedelta(hours=-6), "America/Costa_Rica")

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
# Days far away overflow when they become instants.
_DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


class InstantError(ValueError):
    """A text that names no instant, or no day; expected ISO 8601 such as 2026-11-21T03:26:34.123Z."""


def costa_rica_date(instant: datetime) -> date:
    return _aware(instant).astimezone(COSTA_RICA).date()


def costa_rica_weekday(instant: datetime) -> int:
    """0 = Sunday … 6 = Saturday."""
    return costa_rica_date(instant).isoweekday() % 7


def costa_rica_minute(instant: datetime) -> int:
    """Minutes since Costa Rica's midnight: 0 … 1439."""
    local = _aware(instant).astimezone(COSTA_RICA)
    return local.hour * 60 + local.minute


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """[start, end) of a Costa Rican day, in UTC: the end is the first instant of the next day."""
    start = datetime.combine(day, time(), COSTA_RICA).astimezone(UTC)
    return start, start + timedelta(days=1)


def business_date(scheduled_at: datetime | None, *, now: datetime, cutoff_minute: int = 0) -> date:
    """The day of the draw (§2.9). Without a draw, today's, or yesterday's before cutoff_minute of the day."""
    if scheduled_at is not None:
        return costa_rica_date(scheduled_at)
    return costa_rica_date(now - timedelta(minutes=cutoff_minute))


def week_of(day: date) -> tuple[date, date]:
    """Monday to Sunday, both included."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def month_to(day: date) -> tuple[date, date]:
    return day.replace(day=1), day


def year_of(day: date) -> tuple[date, date]:
    return day.replace(month=1, day=1), day.replace(month=12, day=31)


def parse_date(text: object) -> date:
    """A calendar day of this century, 2026-01-15. Raises InstantError."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise InstantError("expected a date such as 2026-01-15, from 2000 to 2099")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InstantError(f"no such date: {text}") from error


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
