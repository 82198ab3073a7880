"""What a job is made of: steps, each in the transaction in which it is noted, so that none is made twice or by halves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.domain.calendar import format_instant
from core.domain.jobs import Job, JobSettings

if TYPE_CHECKING:
    from core.database import Connection

SCHEDULE = "SCHEDULE"


@dataclass(frozen=True, slots=True)
class JobRun:
    """day: Costa Rica's, for which it works. progress, counts: what the steps before left. now: the step's time.

    attempts: how often this step failed.
    """

    banca_id: UUID
    id: UUID
    job: Job
    settings: JobSettings
    period: str
    trigger: str
    day: date
    started_at: datetime
    was_started: bool
    attempts: int
    now: datetime
    progress: Mapping[str, Any]
    counts: Mapping[str, Any]
    requested_by: UUID | None
    request_id: str | None
    # A test's time, for what a step calls.
    at: datetime | None

    def plus(self, **more: int) -> dict[str, Any]:
        """The counts with what this step did."""
        return {**self.counts, **{name: self.counts.get(name, 0) + count for name, count in more.items()}}

    def at_once(self, full: int) -> int:
        """Of how many this step is: perhaps it failed because they were too many for the time that a call has."""
        return max(1, full >> 2 * self.attempts)

    @property
    def executed_at(self) -> str:
        return format_instant(self.started_at)


@dataclass(frozen=True, slots=True)
class Step:
    """counts: of the run so far; of the last step what the documents' log line says. rest: before the next one."""

    progress: Mapping[str, Any]
    counts: Mapping[str, Any]
    is_done: bool
    rest: timedelta = timedelta()


# connection: in the transaction of the run's banca. What it raises undoes the step.
MakeStep = Callable[["Connection", JobRun], Awaitable[Step]]


@dataclass(frozen=True, slots=True)
class JobEnd:
    """counts: of a run that failed, none."""

    banca_id: UUID
    run_id: UUID
    job: Job
    is_done: bool
    counts: Mapping[str, Any]


# Told of the end of a run, after its commit. Must not raise.
Ended = Callable[[JobEnd], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    make_step: MakeStep
    ended: Ended | None = None
