from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from api.models.wire import AnswerModel, Instant, IsoDate, NoteText, RequestModel, Text
from api.pages import PageQuery
from core.domain.jobs import RETENTION_DAYS_MAX, SETTLEMENT_AGE_DAYS_MAX

# More is taken for the most that there is.
BATCH_SIZE_ASKED_MAX = 1_000_000
SCHEDULE = (
    "UTC: minute and hour as in `0 3 * * *`; of a monthly job the day too, `0 8 1 * *`, on the 1st from 06:00 on."
)
Days = Annotated[StrictInt, Field(ge=1, le=RETENTION_DAYS_MAX)]
Age = Annotated[StrictInt, Field(ge=0, le=SETTLEMENT_AGE_DAYS_MAX)]
BatchSize = Annotated[StrictInt, Field(ge=1, le=BATCH_SIZE_ASKED_MAX)]


class JobTrigger(StrEnum):
    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"


class JobState(StrEnum):
    REQUESTED = "REQUESTED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class JobRunQuery(PageQuery):
    state: JobState | None = None


class JobRunIn(RequestModel):
    """month: of the monthly closing; by default the last that is over. day: Costa Rica's, of jobs that work for one."""

    month: Annotated[Text, Field(max_length=7)] | None = Field(None, examples=["2026-01"])
    day: IsoDate | None = None
    reason: Annotated[NoteText, Field(min_length=1, max_length=200)] | None = None


class JobRunAnswer(AnswerModel):
    """period: the day on which it was due, or the month that it closes. counts: as the job's log line has them.

    day: Costa Rica's, for which it works; known when it starts. skips: how often the database could not be reached.
    """

    id: UUID
    job: str
    period: str
    trigger: JobTrigger
    state: JobState
    day: date | None
    due_at: Instant
    attempts: int
    skips: int
    counts: dict[str, Any]
    error_type: str | None
    error_code: str | None
    reason: str | None
    requested_by: UUID | None
    requested_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class JobSettingsChange(RequestModel):
    """What is absent stays; null: the default. Each job has its own of these."""

    enabled: StrictBool | None = None
    cron_schedule: Annotated[Text, Field(max_length=20)] | None = Field(None, description=SCHEDULE)
    settlement_age_days: Age | None = Field(None, description="`settlement`: older days are settled.")
    batch_size: BatchSize | None = Field(None, description="`settlement`: statements of a run; 2000 at most count.")
    retention_days: Days | None = Field(
        None, description="Clean-ups; of `idempotency-cleanup` 35 at least, of `job-runs-cleanup` 400."
    )


class JobAnswer(AnswerModel):
    """count: of the runs that were done and are kept. healthy: done within 30 hours (32 days where monthly), off, or not due yet.

    Of the settings those that the job has; nextRun: null while it is off. The ETag is that of the settings.
    """

    NOT_TAGGED: ClassVar[frozenset[str]] = frozenset(("last_run", "last_success_at", "next_run", "count", "healthy"))

    name: str
    enabled: bool
    schedule: str
    settlement_age_days: int | None
    batch_size: int | None
    retention_days: int | None
    last_run: JobRunAnswer | None
    last_success_at: Instant | None
    next_run: Instant | None
    count: int
    healthy: bool


class JobList(AnswerModel):
    data: list[JobAnswer]


class JobStatus(AnswerModel):
    """For whoever sells: whether it works, and not who asked for it or why it failed. count, healthy: as of the job.

    lastExecution: of the last run that began, however it ended.
    """

    name: str
    enabled: bool
    last_execution: Instant | None
    last_state: JobState | None
    next_run: Instant | None
    count: int
    healthy: bool


class JobStatusList(AnswerModel):
    data: list[JobStatus]


class SorteosAutoConfig(AnswerModel):
    auto_open_enabled: bool
    auto_create_enabled: bool
    auto_close_enabled: bool


class SorteosAutoConfigChange(RequestModel):
    """What is absent stays."""

    auto_open_enabled: StrictBool | None = None
    auto_create_enabled: StrictBool | None = None
    auto_close_enabled: StrictBool | None = None


class SettlementConfig(AnswerModel):
    enabled: bool
    settlement_age_days: int
    batch_size: int
    cron_schedule: str


class SettlementConfigChange(RequestModel):
    """What is absent stays; null: the default."""

    enabled: StrictBool | None = None
    settlement_age_days: Age | None = None
    batch_size: BatchSize | None = None
    cron_schedule: Annotated[Text, Field(max_length=20)] | None = Field(None, description=SCHEDULE)


class CronHealth(AnswerModel):
    """Of rules whose number is the day of the month. Sales derive it themselves; the job notes daily what is in force.

    numberInForce: today's, of rules of the day of the sale. activeRules (all), activeRulesOfSorteo (those of the day of
    the draw) and lastExecution: as of the job's last run.
    """

    healthy: bool
    number_in_force: str
    active_rules: int | None
    active_rules_of_sorteo: int | None
    last_execution: Instant | None
