"""Runs of jobs, step by step. What is to be done stands in job_runs; an event only says that it is time to look, so
that none can come twice, too late or in the wrong order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Database, DatabaseUnavailableError
from core.domain.jobs import JOBS, Job, JobName, settings_of
from core.queries import sql
from workers.backoff import wait
from workers.job_errors import classify
from workers.job_log import log, next_run, tell
from workers.job_steps import SCHEDULE, JobEnd, JobRun, Step, Work
from workers.metrics import JOB_LAST_SUCCESS, JOB_RUNS, JOB_SECONDS
from workers.rounds import Rounds

# How many are looked at in a round; of each one step.
TO_DO_MAX = 32
WARM_UPS_MAX = 5
# Of steps that fail in a row; the pause doubles, so that it takes seven minutes and a half.
ATTEMPTS_MAX = 5
FIRST_PAUSE = timedelta(seconds=30)
UNREACHED = "Connection warmup failed after retries"


class Jobs:
    """Any number may run at once: of one job of a banca, one at a time gets on."""

    def __init__(
        self,
        database: Database,
        works: Mapping[JobName, Work],
        *,
        warm_up_pause_s: float,
        first_pause: timedelta = FIRST_PAUSE,
        at: datetime | None = None,
    ) -> None:
        """at: what time it is, where a test says so; the database's clock otherwise."""
        self.database = database
        self.works = works
        self.warm_up_pause_s = warm_up_pause_s
        self.first_pause = first_pause
        self.at = at
        # Of runs that could not begin, how often.
        self._skips: dict[UUID, int] = {}
        # Of this round, that somebody wants to be told of.
        self._ends: list[JobEnd] = []
        self.rounds = Rounds()

    def wake(self) -> None:
        """Something was asked."""
        self.rounds.wake()

    async def run_once(self) -> int:
        """One step of everything that is to do and that nobody else is at; returns how many were made.

        Raises DatabaseUnavailableError when it cannot even be asked what there is.
        """
        async with self.database.connection() as connection:
            rows = await connection.fetch(sql("jobs/to_do"), list(self.works), TO_DO_MAX, self.at)
        # What others did meanwhile is not skipped any more.
        self._skips = {row["id"]: self._skips[row["id"]] for row in rows if row["id"] in self._skips}
        made = await self.rounds.each(rows, self._try_step)
        await self._tell_ends()
        return made

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set; a step that runs is finished, and none begins."""
        await self.rounds.run(self.run_once, stop=stop, rest_s=float, fail=self._tell_failure)

    async def _tell_failure(self, error: Exception, failures: int) -> None:
        log.warning("JOBS_WAIT", reason=f"{type(error).__name__}: {error}", failures=failures)
        if failures == 1 and not await self.is_warm():
            log.error("JOB_SKIP", reason=UNREACHED)

    async def is_warm(self) -> bool:
        """Whether the database answers, asked a few times with growing pauses."""
        for attempt in range(1, WARM_UPS_MAX + 1):
            try:
                async with self.database.connection() as connection:
                    await connection.fetchval(sql("jobs/warm_up"))
            except (DatabaseUnavailableError, asyncpg.PostgresError):
                if attempt == WARM_UPS_MAX or self.rounds.stop.is_set():
                    break
                await wait(self.rounds.stop, self.warm_up_pause_s * attempt)
            else:
                return True
        return False

    async def _try_step(self, row: asyncpg.Record) -> int:
        """How many steps were made: one, or none. What fails here fails alone, and is tried again later."""
        job = JOBS[row["job"]]
        if row["state"] == "REQUESTED" and not await self.is_warm():
            self._skip(job, row)
            return 0
        try:
            return await self._step(job, row["banca_id"], row["id"])
        except Exception as error:
            await self._note(job, row, error)
            return 0

    async def _step(self, job: Job, banca_id: UUID, run_id: UUID) -> int:
        async with self.database.connection() as connection, connection.transaction():
            row = await connection.fetchrow(
                sql("jobs/begin_step"), banca_id, run_id, job.name, self._skips.get(run_id, 0), self.at
            )
            if row is None:
                return 0
            run = run_of(job, banca_id, run_id, row, at=self.at)
            is_off = run.trigger == SCHEDULE and not run.was_started and not run.settings.is_enabled
            if not is_off and not run.was_started:
                tell(log.info, job, "START", named(run), request_id=run.request_id)
            step = Step({}, {}, is_done=True) if is_off else await self.works[job.name].make_step(connection, run)
            state = "SKIPPED" if is_off else "DONE" if step.is_done else "RUNNING"
            reason = "disabled" if is_off else None
            saved_at = await connection.fetchval(
                sql("jobs/save_step"),
                banca_id, run_id, state, step.progress, step.counts, reason, step.rest, self.at,
            )  # fmt: skip
        self._skips.pop(run_id, None)
        if is_off:
            JOB_RUNS.labels(job.name, "disabled").inc()
            tell(log.info, job, "SKIPPED", {**named(run), "reason": reason})
        elif step.is_done:
            self._end(run, step.counts, at=saved_at)
        return 1

    def _end(self, run: JobRun, counts: Mapping[str, Any], *, at: datetime) -> None:
        job = run.job
        JOB_RUNS.labels(job.name, "done").inc()
        JOB_SECONDS.labels(job.name).observe(max(0.0, (at - run.started_at).total_seconds()))
        JOB_LAST_SUCCESS.labels(job.name).set(time.time())
        tell(log.info, job, "COMPLETE", {**counts, **named(run)}, request_id=run.request_id)
        self._ends.append(JobEnd(run.banca_id, run.id, job, is_done=True, counts=counts))
        if run.settings.is_enabled:
            tell(log.info, job, "SCHEDULED", {**next_run(run.settings.schedule, at), "bancaId": str(run.banca_id)})

    async def _tell_ends(self) -> None:
        """All at once, so that many bancas wait no longer than one for somebody who does not answer."""
        ends, self._ends = self._ends, []
        told = ((end, self.works[end.job.name].ended) for end in ends)
        await asyncio.gather(*(ended(end) for end, ended in told if ended is not None))

    def _skip(self, job: Job, row: asyncpg.Record) -> None:
        """It stays to be done."""
        self._skips[row["id"]] = self._skips.get(row["id"], 0) + 1
        JOB_RUNS.labels(job.name, "skipped").inc()
        tell(log.error, job, "SKIP", {**place(row), "reason": UNREACHED})

    async def _note(self, job: Job, row: asyncpg.Record, error: Exception) -> None:
        """Write down that a step failed; what cannot be written is as due as before."""
        found = classify(error)
        told = {**place(row), **found.told}
        try:
            async with self.database.connection() as connection:
                state = await connection.fetchval(
                    sql("jobs/note_trouble"),
                    row["banca_id"], row["id"], *found, ATTEMPTS_MAX, self.first_pause, self.at,
                )  # fmt: skip
        except DatabaseUnavailableError:
            self._skip(job, row)
            return
        except asyncpg.PostgresError:
            state = row["state"]
        if state != "FAILED":
            tell(log.warning, job, "RETRY", told)
            return
        JOB_RUNS.labels(job.name, "failed").inc()
        tell(log.error, job, "JOB_FAIL", told)
        self._ends.append(JobEnd(row["banca_id"], row["id"], job, is_done=False, counts={}))


def run_of(job: Job, banca_id: UUID, run_id: UUID, row: asyncpg.Record, *, at: datetime | None) -> JobRun:
    members = dict(row)
    settings = settings_of(job, members.pop("settings"))
    return JobRun(banca_id, run_id, job, settings, now=members.pop("at"), at=at, **members)


def named(run: JobRun) -> dict[str, object]:
    """Whose run a line is about; the documents know one banca only."""
    return {"bancaId": str(run.banca_id), "runId": str(run.id), "period": run.period}


def place(row: asyncpg.Record) -> dict[str, object]:
    return {"bancaId": str(row["banca_id"]), "runId": str(row["id"])}
