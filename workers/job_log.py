"""Lines about jobs, as document 003 has them: {layer: "job", action: "SORTEOS_AUTO_OPEN_COMPLETE", payload}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from core.domain.calendar import format_instant
from core.domain.jobs import Job, Schedule
from core.logging import Log
from workers.metrics import JOB_ERRORS

log = Log("job")


def tell(
    write: Callable[..., None],
    job: Job,
    what: str,
    payload: Mapping[str, object],
    *,
    request_id: str | None = None,
) -> None:
    """write: a level of the log. what: START, COMPLETE, SKIP and so on."""
    write(f"{job.log_prefix}_{what}", request_id=request_id, **payload)


def complain(job: Job, about: Mapping[str, object]) -> None:
    """Of one draw, lottery or day of many that failed alone."""
    JOB_ERRORS.labels(job.name).inc()
    tell(log.error, job, "ERRORS", about)


def next_run(schedule: Schedule, now: datetime) -> dict[str, object]:
    at = schedule.next(now)
    return {"nextRun": format_instant(at), "delayMinutes": round((at - now).total_seconds() / 60)}
