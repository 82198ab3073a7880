"""A banca's jobs: read, set, asked for; by whichever address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from api.context import RequestContext
from api.keys import DATABASE
from api.models.jobs import JobAnswer, JobRunAnswer, JobRunIn
from api.problems import refuse
from api.validation import validation_failed
from core.activity_documents import changed_members
from core.activity_events import LAYER_API, Action, record_activity
from core.domain.calendar import costa_rica_date
from core.domain.jobs import (
    BATCH_SIZE_MAX,
    JOBS,
    SORTEO_JOBS,
    Job,
    JobName,
    JobSettings,
    MonthNotOverError,
    ScheduleError,
    is_before_the_month_is_over,
    is_healthy,
    parse_schedule,
    period_by_hand,
    settings_of,
)
from core.domain.permissions import Permission, scope_of
from core.domain.violations import Violation
from core.queries import sql

if TYPE_CHECKING:
    from core.database import Connection

Shown = TypeVar("Shown", bound=BaseModel)

TARGET = "CRON_JOB"
# The API's names of what storage has.
COLUMNS: Mapping[str, str] = {
    "enabled": "is_enabled",
    "cron_schedule": "schedule",
    "settlement_age_days": "settlement_age_days",
    "batch_size": "batch_size",
    "retention_days": "retention_days",
}
# Those that work for a day which somebody may name.
OF_A_DAY = frozenset({JobName.SORTEOS_AUTO_OPEN, JobName.SORTEOS_AUTO_CREATE})
DAYS_OFF_MAX = timedelta(days=31)
MONTH_GOES_ON = "On the 1st the month before is over at 06:00 UTC, as Costa Rica's day begins."


async def read_jobs(context: RequestContext, names: Iterable[JobName] = tuple(JobName)) -> list[JobAnswer]:
    async with context.app[DATABASE].tenant(context.banca_id) as connection:
        return await job_answers(connection, context.banca_id, names)


async def job_answers(connection: Connection, banca_id: UUID, names: Iterable[JobName]) -> list[JobAnswer]:
    rows = await connection.fetch(sql("jobs/overview"), banca_id, [name.value for name in names])
    runs = await read_runs(connection, banca_id, [row["last_run_id"] for row in rows if row["last_run_id"]])
    return [job_answer(row, runs.get(row["last_run_id"])) for row in rows]


async def read_runs(connection: Connection, banca_id: UUID, ids: Sequence[UUID]) -> dict[UUID, JobRunAnswer]:
    rows = await connection.fetch(sql("jobs/runs_by_id"), banca_id, ids)
    return {row["id"]: run_answer(row) for row in rows}


def job_answer(row: asyncpg.Record, last_run: JobRunAnswer | None) -> JobAnswer:
    job = JOBS[JobName(row["job"])]
    settings = settings_of(job, {**(row["settings"] or {}), "since": row["since"]})
    return JobAnswer(
        name=job.name,
        **shown(job, settings),
        last_run=last_run,
        last_success_at=row["last_success_at"],
        next_run=settings.schedule.next(row["at"]) if settings.is_enabled else None,
        count=row["done_count"],
        healthy=is_healthy(job, settings, since=row["begins"], last_success=row["last_success_at"], at=row["at"]),
    )


def shown(job: Job, settings: JobSettings) -> dict[str, Any]:
    settles = job.name is JobName.SETTLEMENT
    return {
        "enabled": settings.is_enabled,
        "schedule": str(settings.schedule),
        "settlement_age_days": settings.settlement_age_days if settles else None,
        "batch_size": settings.batch_size if settles else None,
        "retention_days": settings.retention_days,
    }


def run_answer(row: asyncpg.Record) -> JobRunAnswer:
    return JobRunAnswer(**{name: row[name] for name in JobRunAnswer.model_fields})


async def change_settings(
    context: RequestContext,
    changes: Mapping[JobName, Mapping[str, Any]],
    *,
    shown_with: Collection[JobName],
    answer_of: Callable[[list[JobAnswer]], Shown],
) -> Shown:
    """Change the settings of one or several jobs: all of them, or none.

    changes: of each job what was sent, by the API's names. shown_with: the jobs that the answer shows: those of the
    changes, and perhaps others. answer_of: makes the answer of these jobs; If-Match is compared with what it was before
    the change. Raises ProblemError.
    """
    wanted = {JOBS[name]: checked(JOBS[name], change) for name, change in changes.items()}
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        # One order for all requests, so that they cannot wait for each other in a circle.
        for name in sorted(shown_with):
            await connection.execute(sql("jobs/lock_settings"), context.banca_id, name)
        context.require_match(answer_of(await job_answers(connection, context.banca_id, shown_with)))
        for job in sorted(wanted, key=lambda job: job.name):
            await set_job(context, connection, job, wanted[job])
        return answer_of(await job_answers(connection, context.banca_id, shown_with))


async def set_job(context: RequestContext, connection: Connection, job: Job, change: Mapping[str, Any]) -> None:
    """The job's settings are locked."""
    row = await connection.fetchrow(sql("jobs/settings"), context.banca_id, job.name)
    stored = {name: None if row is None else row[name] for name in COLUMNS.values()}
    members = {**stored, **{COLUMNS[name]: value for name, value in change.items()}}
    before, after = settings_of(job, stored), settings_of(job, members)
    if after == before:
        return
    # A month that is not closed yet is closed all the same, whatever the day of its closing becomes.
    is_moved = after.schedule != before.schedule and not job.is_monthly
    restarts = is_moved or (after.is_enabled and not before.is_enabled)
    await connection.execute(
        sql("jobs/set_settings"),
        context.banca_id,
        job.name,
        *(members[name] for name in COLUMNS.values()),
        restarts,
        context.principal.user_id,
    )
    await record_change(context, connection, job, shown(job, before), shown(job, after))


async def record_change(
    context: RequestContext, connection: Connection, job: Job, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    old, new = changed_members(before, after)
    await record_activity(
        connection,
        Action.JOB_SETTINGS_UPDATE,
        actor_id=context.principal.user_id,
        target_type=TARGET,
        target_id=None,
        before={"job": job.name, **old},
        after={"job": job.name, **new},
        request_id=context.request_id,
    )


def checked(job: Job, change: Mapping[str, Any]) -> dict[str, Any]:
    """The change as it is stored."""
    wanted = dict(change)
    others = {"settlement_age_days", "batch_size"} if job.name is not JobName.SETTLEMENT else set()
    if job.retention_days is None:
        others.add("retention_days")
    violations = [wrong(name, f"{job.name} has no such setting.") for name in wanted if name in others]
    if wanted.get("cron_schedule") is not None:
        try:
            schedule = parse_schedule(wanted["cron_schedule"], monthly=job.is_monthly)
        except ScheduleError as error:
            violations.append(wrong("cron_schedule", str(error)))
        else:
            wanted["cron_schedule"] = str(schedule)
            if is_before_the_month_is_over(schedule):
                violations.append(wrong("cron_schedule", MONTH_GOES_ON, "JOB_MONTH_NOT_OVER"))
    if (wanted.get("retention_days") or job.retention_days_min) < job.retention_days_min:
        violations.append(wrong("retention_days", f"At least {job.retention_days_min} days.", "FIELD_OUT_OF_RANGE"))
    if wanted.get("batch_size") is not None:
        wanted["batch_size"] = min(wanted["batch_size"], BATCH_SIZE_MAX)
    if violations:
        raise validation_failed(violations)
    return wanted


def wrong(name: str, message: str, code: str = "FIELD_INVALID") -> Violation:
    first, *others = name.split("_")
    return Violation(code, message, first + "".join(part.capitalize() for part in others))


async def ask_for(context: RequestContext, job: Job, body: JobRunIn) -> JobRunAnswer:
    """Raises ProblemError: FORBIDDEN, VALIDATION_FAILED, JOB_MONTH_NOT_OVER."""
    role = context.principal.role
    if job.name not in SORTEO_JOBS and scope_of(Permission.JOBS_ADMINISTER, role) is None:
        raise refuse(403, "FORBIDDEN", f"A user of role {role} may not do this.")
    period = period_asked(job, body, datetime.now(UTC))
    async with context.app[DATABASE].tenant(context.banca_id, readonly=False) as connection:
        run_id = await connection.fetchval(
            sql("jobs/request"),
            context.banca_id,
            job.name,
            period,
            body.day,
            context.principal.user_id,
            LAYER_API,
            body.reason,
            context.request_id,
        )
        return (await read_runs(connection, context.banca_id, [run_id]))[run_id]


def period_asked(job: Job, body: JobRunIn, now: datetime) -> str:
    violations = []
    today = costa_rica_date(now)
    if body.day is not None and job.name not in OF_A_DAY:
        violations.append(wrong("day", f"{job.name} takes no day."))
    elif body.day is not None and not today - DAYS_OFF_MAX <= body.day <= today + DAYS_OFF_MAX:
        violations.append(wrong("day", "No more than a month from today.", "FIELD_OUT_OF_RANGE"))
    try:
        period = period_by_hand(job, body.month, now)
    except ValueError as error:
        violations.append(wrong("month", f"{error}."))
    except MonthNotOverError as error:
        raise refuse(422, "JOB_MONTH_NOT_OVER", f"{error}.") from None
    if violations:
        raise validation_failed(violations)
    return period
