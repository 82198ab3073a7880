"""The jobs (document 003): what runs at which hour, how much of it is made up, and what a banca may set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.domain.calendar import costa_rica_date

_CRON = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) (\*|[0-9]{1,2}) \* \*")
_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")
# Every month has it.
DAY_OF_MONTH_MAX = 28
# UTC, of Costa Rica's midnight.
MONTH_BEGINS_HOUR = 6
BATCH_SIZE_MAX = 2_000
SETTLEMENT_AGE_DAYS_MAX = 365
# Resends of a month, and some days: a key that is gone makes a resend a new request.
KEY_RETENTION_DAYS_MIN = 35
# The twelve months that a closing makes up must be found done.
RUN_RETENTION_DAYS_MIN = 400
RETENTION_DAYS_MAX = 3_650


class ScheduleError(ValueError):
    """A text that names no hour; expected a cron expression such as "0 3 * * *", or "0 8 1 * *" for a monthly job."""


class MonthNotOverError(Exception):
    """A month that goes on, or has not begun, in Costa Rica."""


class JobName(StrEnum):
    SORTEOS_AUTO_OPEN = "sorteos-auto-open"
    SORTEOS_AUTO_CREATE = "sorteos-auto-create"
    SORTEOS_AUTO_CLOSE = "sorteos-auto-close"
    SETTLEMENT = "settlement"
    MONTHLY_CLOSING = "monthly-closing"
    ACTIVITY_LOG_CLEANUP = "activity-log-cleanup"
    IDEMPOTENCY_CLEANUP = "idempotency-cleanup"
    JOB_RUNS_CLEANUP = "job-runs-cleanup"
    RESTRICTIONS_AUTO_DATE = "restrictions-auto-date"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Once a day, or once a month where day is given. UTC."""

    minute: int
    hour: int
    day: int | None = None

    def __str__(self) -> str:
        return f"{self.minute} {self.hour} {'*' if self.day is None else self.day} * *"

    def latest(self, at: datetime) -> datetime:
        """The last time that is not after at."""
        at = at.astimezone(UTC)
        time = at.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        if self.day is None:
            return time if time <= at else time - timedelta(days=1)
        time = time.replace(day=self.day)
        return time if time <= at else (time.replace(day=1) - timedelta(days=1)).replace(day=self.day)

    def next(self, at: datetime) -> datetime:
        """The first time after at."""
        latest = self.latest(at)
        if self.day is None:
            return latest + timedelta(days=1)
        return (latest.replace(day=DAY_OF_MONTH_MAX) + timedelta(days=4)).replace(day=self.day)

    def backwards(self, at: datetime) -> Iterator[datetime]:
        """The times that are not after at, the newest first, without end."""
        while True:
            time = self.latest(at)
            yield time
            at = time - timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """make_up: of how many periods that were missed. is_enabled: where a banca sets nothing."""

    name: JobName
    schedule: Schedule
    is_enabled: bool
    healthy_within: timedelta = timedelta(hours=30)
    make_up: int = 1
    retention_days: int | None = None
    retention_days_min: int = 1

    @property
    def log_prefix(self) -> str:
        return self.name.upper().replace("-", "_")

    @property
    def is_monthly(self) -> bool:
        return self.schedule.day is not None


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What holds for one banca. retention_days: of clean-ups only. since: nothing that was due before is made up."""

    is_enabled: bool
    schedule: Schedule
    settlement_age_days: int
    batch_size: int
    retention_days: int | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """period: "2026-01-15", the day on which it was due; of the monthly closing "2026-01", the month that it closes."""

    period: str
    due_at: datetime


def _table() -> Iterator[Job]:
    yield Job(JobName.SORTEOS_AUTO_OPEN, Schedule(0, 7), is_enabled=False)
    yield Job(JobName.SORTEOS_AUTO_CREATE, Schedule(30, 7), is_enabled=False)
    yield Job(JobName.SORTEOS_AUTO_CLOSE, Schedule(0, 4), is_enabled=False)
    yield Job(JobName.SETTLEMENT, Schedule(0, 3), is_enabled=False)
    # On the 1st, 02:00 in Costa Rica.
    yield Job(
        JobName.MONTHLY_CLOSING, Schedule(0, 8, day=1), is_enabled=True, healthy_within=timedelta(days=32), make_up=12
    )
    yield Job(JobName.ACTIVITY_LOG_CLEANUP, Schedule(0, 2), is_enabled=True, retention_days=45)
    yield Job(
        JobName.IDEMPOTENCY_CLEANUP,
        Schedule(30, 2),
        is_enabled=True,
        retention_days=90,
        retention_days_min=KEY_RETENTION_DAYS_MIN,
    )
    yield Job(
        JobName.JOB_RUNS_CLEANUP,
        Schedule(45, 2),
        is_enabled=True,
        retention_days=RUN_RETENTION_DAYS_MIN,
        retention_days_min=RUN_RETENTION_DAYS_MIN,
    )
    # As Costa Rica's day begins.
    yield Job(JobName.RESTRICTIONS_AUTO_DATE, Schedule(0, 6), is_enabled=True)


JOBS: Mapping[JobName, Job] = MappingProxyType({job.name: job for job in _table()})
SORTEO_JOBS = frozenset({JobName.SORTEOS_AUTO_OPEN, JobName.SORTEOS_AUTO_CREATE, JobName.SORTEOS_AUTO_CLOSE})
SETTLEMENT_AGE_DAYS = 7
BATCH_SIZE = 1_000


def parse_schedule(text: str, *, monthly: bool) -> Schedule:
    """A cron expression of one time a day, "0 3 * * *", or a month. Raises ScheduleError."""
    found = _CRON.fullmatch(text)
    if not found or (found[3] != "*") is not monthly:
        raise ScheduleError('expected "minute hour day * *"' if monthly else 'expected "minute hour * * *"')
    minute, hour = int(found[1]), int(found[2])
    day = None if found[3] == "*" else int(found[3])
    if minute > 59 or hour > 23 or (day is not None and not 1 <= day <= DAY_OF_MONTH_MAX):
        raise ScheduleError(f"no such time: minutes to 59, hours to 23, days 1 to {DAY_OF_MONTH_MAX}")
    return Schedule(minute, hour, day)


def is_before_the_month_is_over(schedule: Schedule) -> bool:
    """So that a closing would close the month before the last: the 1st begins at 06:00 UTC in Costa Rica."""
    return schedule.day == 1 and schedule.hour < MONTH_BEGINS_HOUR


def settings_of(job: Job, row: Mapping[str, Any] | None) -> JobSettings:
    """row: of job_settings; what it has null, or no row at all, is the default."""
    stored = {name: value for name, value in (row or {}).items() if value is not None}
    schedule = stored.get("schedule")
    return JobSettings(
        is_enabled=stored.get("is_enabled", job.is_enabled),
        schedule=job.schedule if schedule is None else parse_schedule(schedule, monthly=job.is_monthly),
        settlement_age_days=stored.get("settlement_age_days", SETTLEMENT_AGE_DAYS),
        batch_size=min(stored.get("batch_size", BATCH_SIZE), BATCH_SIZE_MAX),
        retention_days=stored.get("retention_days", job.retention_days),
        since=stored.get("since"),
    )


def due(job: Job, settings: JobSettings, *, since: datetime, at: datetime) -> list[Due]:
    """What should have run between since and at, both included, the newest first; whether it did is not known here."""
    begins = max(since, settings.since or since)
    found: list[Due] = []
    for due_at in settings.schedule.backwards(at):
        if due_at < begins or len(found) == job.make_up:
            break
        found.append(Due(period_of(job, due_at), due_at))
    return found


def period_of(job: Job, due_at: datetime) -> str:
    if job.is_monthly:
        return month_before(costa_rica_date(due_at))
    return due_at.astimezone(UTC).date().isoformat()


def period_by_hand(job: Job, month: str | None, now: datetime) -> str:
    """Of a run that somebody asks for; month: of the monthly closing, the last that is over unless told.

    Raises ValueError: no such month, or the job closes none; MonthNotOverError.
    """
    if not job.is_monthly:
        if month is not None:
            raise ValueError(f"{job.name} has no month to close")
        return now.astimezone(UTC).date().isoformat()
    last = month_before(costa_rica_date(now))
    if month is None:
        return last
    if first_of_month(month) > first_of_month(last):
        raise MonthNotOverError(f"{month} is not over; {last} is the last that can be closed")
    return month


def month_before(day: date) -> str:
    return f"{day.replace(day=1) - timedelta(days=1):%Y-%m}"


def first_of_month(period: str) -> date:
    """Raises ValueError: no month of this century such as 2026-01."""
    if not _MONTH.fullmatch(period):
        raise ValueError("expected a month such as 2026-01")
    return date(int(period[:4]), int(period[5:]), 1)


def is_healthy(
    job: Job, settings: JobSettings, *, since: datetime, last_success: datetime | None, at: datetime
) -> bool:
    """Whether it succeeded lately, or need not have."""
    if last_success is not None and at - last_success < job.healthy_within:
        return True
    return not settings.is_enabled or not due(job, settings, since=since, at=at)
