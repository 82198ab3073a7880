"""Jobs that make, open and close draws (document 003)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from core.activity_events import LAYER_JOB
from core.domain.calendar import day_bounds
from core.domain.schedule import Occurrence, is_made_by_job, occurrences, opens_by_job
from core.domain.sorteo_states import TRANSITIONS, SorteoAction
from core.queries import sql
from core.sorteo_seeding import Author, make_draws, missing_draws
from workers.job_errors import JobError, classify
from workers.job_log import complain
from workers.job_steps import JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection

DAYS_AHEAD = 7
# A draw that was to be drawn so long ago, and was not sold, is not sold any more.
UNSOLD_AFTER = timedelta(minutes=5)
# Their rows are locked until the step ends.
SORTEOS_PER_STEP = 50
# A draw that somebody else holds must not keep the others of its step waiting.
LOCK_TIMEOUT = "1s"
# What failed for the moment is gone over again, after rests that double: four minutes is the longest.
REPEATS_MAX = 4
FIRST_REST = timedelta(seconds=30)
LOTERIAS_MAX = 10_000
# What rules raise that nobody checked.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)


async def open_sorteos(connection: Connection, run: JobRun) -> Step:
    """Open the draws of the day that are still to be drawn, of lotteries whose rules say autoOpenEnabled."""
    loterias = await connection.fetch(sql("jobs/loterias"), run.banca_id, None, LOTERIAS_MAX)
    start, end = day_bounds(run.day)
    rows = await connection.fetch(
        sql("jobs/sorteos_to_open"),
        run.banca_id,
        [row["id"] for row in loterias if opens_by_job(row["rules"])],
        max(start, run.now),
        end,
        run.progress.get("after"),
        SORTEOS_PER_STEP,
        run.now,
    )
    opened, errors = await move_each(connection, run, rows, SorteoAction.OPEN)
    counts = run.plus(openedCount=opened, errorsCount=len(errors))
    return sorteos_step(run, rows, counts, errors, rows_max=SORTEOS_PER_STEP)


async def close_unsold_sorteos(connection: Connection, run: JobRun) -> Step:
    """Close the draws whose time is over and of which no ticket was ever sold."""
    rows = await connection.fetch(
        sql("jobs/sorteos_unsold"), run.banca_id, run.now - UNSOLD_AFTER, run.progress.get("after"), SORTEOS_PER_STEP
    )
    closed, errors = await move_each(connection, run, rows, SorteoAction.CLOSE_UNSOLD)
    counts = run.plus(closedCount=closed, errorsCount=len(errors))
    return sorteos_step(run, rows, counts, errors, rows_max=SORTEOS_PER_STEP)


async def create_sorteos(connection: Connection, run: JobRun) -> Step:
    """Make the draws of the days ahead, of the next lottery whose rules say so."""
    rows = await connection.fetch(sql("jobs/loterias"), run.banca_id, run.progress.get("after"), 1)
    made = skipped = 0
    errors: list[JobError] = []
    for row in rows:
        if not is_made_by_job(row["rules"]):
            continue
        try:
            async with connection.transaction():
                wanted = draws_ahead(row, run)
                missing = await missing_draws(connection, run.banca_id, row["id"], wanted)
                author = Author(run.requested_by, LAYER_JOB, run.request_id)
                made = len(await make_draws(connection, run.banca_id, dict(row), missing, author))
                skipped = len(wanted) - made
        except (asyncpg.PostgresError, *UNREADABLE) as error:
            errors.append(failed(run, error, loteriaId=str(row["id"])))
    # Of those that are gone over again only the first time.
    skipped = 0 if run.progress.get("repeats") else skipped
    counts = run.plus(createdCount=made, skippedCount=skipped, errorsCount=len(errors))
    return sorteos_step(run, rows, counts, errors, rows_max=1)


def draws_ahead(loteria: asyncpg.Record, run: JobRun) -> list[Occurrence]:
    """From the run's day on; what is over is not made."""
    found = occurrences(loteria["rules"], loteria_name=loteria["name"], start=day_bounds(run.day)[0], days=DAYS_AHEAD)
    return [one for one in found if one.scheduled_at > run.now]


async def move_each(
    connection: Connection, run: JobRun, rows: Sequence[asyncpg.Record], action: SorteoAction
) -> tuple[int, list[JobError]]:
    """How many moved, and why others failed; whoever was faster counts as neither."""
    moved = 0
    errors: list[JobError] = []
    await connection.execute(sql("jobs/limit_lock_waits"), LOCK_TIMEOUT)
    for row in rows:
        try:
            async with connection.transaction():
                moved += await move(connection, run, row, action) == "DONE"
        except asyncpg.PostgresError as error:
            errors.append(failed(run, error, sorteoId=str(row["id"])))
    return moved, errors


async def move(connection: Connection, run: JobRun, sorteo: asyncpg.Record, action: SorteoAction) -> str:
    states = TRANSITIONS[action]
    outcome: str = await connection.fetchval(
        sql("jobs/act_on_sorteo"),
        run.banca_id,
        sorteo["id"],
        action,
        *zip(*states.keys(), strict=True),
        *zip(*states.values(), strict=True),
        LAYER_JOB,
        run.job.name,
        sorteo["scheduled_at"],
        0 if action is SorteoAction.CLOSE_UNSOLD else None,
        run.at,
    )
    return outcome


def sorteos_step(
    run: JobRun, rows: Sequence[asyncpg.Record], counts: dict[str, Any], errors: Sequence[JobError], *, rows_max: int
) -> Step:
    repeats: int = run.progress.get("repeats", 0)
    is_passing = run.progress.get("isPassing", False) or any(error.is_passing for error in errors)
    if len(rows) == rows_max:
        last: UUID = rows[-1]["id"]
        return Step({"after": str(last), "repeats": repeats, "isPassing": is_passing}, counts, is_done=False)
    if is_passing and repeats < REPEATS_MAX:
        again = {**counts, "errorsCount": 0}
        return Step({"repeats": repeats + 1}, again, is_done=False, rest=FIRST_REST * 2**repeats)
    told = {"success": counts["errorsCount"] == 0, **counts, "executedAt": run.executed_at}
    return Step({}, told, is_done=True)


def failed(run: JobRun, error: Exception, **about: str) -> JobError:
    found = classify(error)
    complain(run.job, {"bancaId": str(run.banca_id), "runId": str(run.id), **about, **found.told})
    return found
