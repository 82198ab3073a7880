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
from workers.job_log import log, tell
from workers.job_steps import JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection

DAYS_AHEAD = 7
# A draw that was to be drawn so long ago, and was not sold, is not sold any more.
UNSOLD_AFTER = timedelta(minutes=5)
# Their rows are locked until the step ends.
SORTEOS_PER_STEP = 50
LOTERIAS_MAX = 10_000


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
    return sorteos_step(run, rows, run.plus(openedCount=opened, errorsCount=errors), rows_max=SORTEOS_PER_STEP)


async def close_unsold_sorteos(connection: Connection, run: JobRun) -> Step:
    """Close the draws whose time is over and of which no ticket was ever sold."""
    rows = await connection.fetch(
        sql("jobs/sorteos_unsold"), run.banca_id, run.now - UNSOLD_AFTER, run.progress.get("after"), SORTEOS_PER_STEP
    )
    closed, errors = await move_each(connection, run, rows, SorteoAction.CLOSE_UNSOLD)
    return sorteos_step(run, rows, run.plus(closedCount=closed, errorsCount=errors), rows_max=SORTEOS_PER_STEP)


async def create_sorteos(connection: Connection, run: JobRun) -> Step:
    """Make the draws of the days ahead, of the next lottery whose rules say so."""
    rows = await connection.fetch(sql("jobs/loterias"), run.banca_id, run.progress.get("after"), 1)
    made = skipped = errors = 0
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
        except (asyncpg.PostgresError, ValueError, TypeError) as error:
            errors = 1
            complain(run, error, loteriaId=str(row["id"]))
    counts = run.plus(createdCount=made, skippedCount=skipped, errorsCount=errors)
    return sorteos_step(run, rows, counts, rows_max=1)


def draws_ahead(loteria: asyncpg.Record, run: JobRun) -> list[Occurrence]:
    """From the run's day on; what is over is not made."""
    found = occurrences(loteria["rules"], loteria_name=loteria["name"], start=day_bounds(run.day)[0], days=DAYS_AHEAD)
    return [one for one in found if one.scheduled_at > run.now]


async def move_each(
    connection: Connection, run: JobRun, rows: Sequence[asyncpg.Record], action: SorteoAction
) -> tuple[int, int]:
    """How many moved, and how many failed; whoever was faster counts as neither."""
    moved = errors = 0
    for row in rows:
        try:
            async with connection.transaction():
                moved += await move(connection, run, row, action) == "DONE"
        except asyncpg.PostgresError as error:
            errors += 1
            complain(run, error, sorteoId=str(row["id"]))
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


def sorteos_step(run: JobRun, rows: Sequence[asyncpg.Record], counts: dict[str, Any], *, rows_max: int) -> Step:
    if len(rows) == rows_max:
        last: UUID = rows[-1]["id"]
        return Step({"after": str(last)}, counts, is_done=False)
    told = {"success": counts["errorsCount"] == 0, **counts, "executedAt": run.executed_at}
    return Step({}, told, is_done=True)


def complain(run: JobRun, error: Exception, **about: str) -> None:
    told: dict[str, object] = {"bancaId": str(run.banca_id), "runId": str(run.id), **about}
    tell(log.error, run.job, "ERRORS", {**told, "error": f"{type(error).__name__}: {error}"})
