"""Jobs of the statements (document 003): old days are settled, balances carried forward, months closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.domain.jobs import first_of_month
from core.queries import sql
from workers.job_errors import failed_day
from workers.job_log import complain, log, tell
from workers.job_steps import JobEnd, JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection

# Each day that is settled or carried to holds a place of the server's lock table, which sales need too, until the step
# ends: of every banca at the same hour.
SETTLED_PER_STEP = 250
CARRIED_PER_STEP = 250
CLOSED_PER_STEP = 100
# In this order; and as the log line calls them.
DIMENSIONS: Mapping[str, str] = MappingProxyType({"VENDEDOR": "vendedores", "VENTANA": "ventanas", "BANCA": "bancas"})


async def settle(connection: Connection, run: JobRun) -> Step:
    """First old days, as many as the banca says; then the balances of those that did nothing today."""
    if "after" not in run.progress:
        return await settle_days(connection, run)
    row = await connection.fetchrow(
        sql("jobs/carry_forward"), run.banca_id, run.day, run.progress["after"], run.at_once(CARRIED_PER_STEP)
    )
    assert row is not None, "carry_forward gives one row"
    complain_of(run, row["failures"])
    carried = run.counts["carryForward"]
    counts = {
        **run.counts,
        "carryForward": {
            "createdCount": carried["createdCount"] + row["created"],
            "skippedCount": carried["skippedCount"] + row["skipped"],
            "errorCount": carried["errorCount"] + len(row["failures"]),
        },
    }
    if row["last"] is not None:
        return Step({"after": str(row["last"])}, counts, is_done=False)
    return Step({}, {**counts, "executedAt": run.executed_at}, is_done=True)


async def settle_days(connection: Connection, run: JobRun) -> Step:
    settings, before = run.settings, cutoff_day(run)
    settled: int = run.counts.get("settledCount", 0)
    # Somebody may have made the batch smaller meanwhile.
    wanted = max(0, min(run.at_once(SETTLED_PER_STEP), settings.batch_size - settled))
    after = run.progress.get("settled")
    row = await connection.fetchrow(
        sql("jobs/settle_statements"), run.banca_id, before, wanted, run.requested_by, after
    )
    assert row is not None, "settle_statements gives one row"
    complain_of(run, row["failures"])
    settled += row["settled"]
    errors: int = run.counts.get("errorCount", 0) + len(row["failures"])
    counts = {
        "cutoffDateCR": before.isoformat(),
        "settlementAgeDays": settings.settlement_age_days,
        "batchSize": settings.batch_size,
        "totalProcessed": settled + row["skipped"] + errors,
        "settledCount": settled,
        "skippedCount": row["skipped"],
        "errorCount": errors,
        "remainingCount": row["pending"],
        "carryForward": {"createdCount": 0, "skippedCount": 0, "errorCount": 0},
    }
    has_more = row["last"] is not None and settled < settings.batch_size
    return Step({"settled": row["last"]} if has_more else {"after": None}, counts, is_done=False)


def cutoff_day(run: JobRun) -> date:
    return run.day - timedelta(days=run.settings.settlement_age_days)


async def tell_what_remains(end: JobEnd) -> None:
    """What waits for its days to be computed is left, too, and what failed; but a larger batch would not help them."""
    counts = end.counts
    if not end.is_done or counts["remainingCount"] <= counts["skippedCount"] + counts["errorCount"]:
        return
    done, remaining = counts["settledCount"], counts["remainingCount"]
    payload = {
        "bancaId": str(end.banca_id),
        "batchSize": counts["batchSize"],
        "totalPending": done + remaining,
        "message": f"Processed {done} records. {remaining} remaining for next execution.",
    }
    tell(log.warning, end.job, "MORE_RECORDS_AVAILABLE", payload)


async def close_month(connection: Connection, run: JobRun) -> Step:
    """The next entities of the month: sellers, then ventanas, then the banca."""
    dimension = run.progress.get("dimension", "VENDEDOR")
    row = await connection.fetchrow(
        sql("jobs/close_month"),
        run.banca_id,
        first_of_month(run.period),
        dimension,
        run.progress.get("after"),
        run.at_once(CLOSED_PER_STEP),
    )
    assert row is not None, "close_month gives one row"
    complain_of(run, row["failures"])
    name = DIMENSIONS[dimension]
    before = run.counts.get(name, {"success": 0, "errors": 0})
    closed = {"success": before["success"] + row["closed"], "errors": before["errors"] + len(row["failures"])}
    counts = {**run.counts, name: closed}
    if row["last"] is not None:
        return Step({"dimension": dimension, "after": str(row["last"])}, counts, is_done=False)
    following = next_dimension(dimension)
    if following is not None:
        return Step({"dimension": following}, counts, is_done=False)
    return Step({}, closing_told(run, counts), is_done=True)


def complain_of(run: JobRun, failures: Sequence[Mapping[str, str]]) -> None:
    for failure in failures:
        complain(run.job, {"bancaId": str(run.banca_id), "runId": str(run.id), **failed_day(failure)})


def next_dimension(dimension: str) -> str | None:
    order = list(DIMENSIONS)
    place = order.index(dimension) + 1
    return order[place] if place < len(order) else None


def closing_told(run: JobRun, counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {
        "closingMonth": run.period,
        "totalSuccess": sum(closed["success"] for closed in counts.values()),
        "totalErrors": sum(closed["errors"] for closed in counts.values()),
        **counts,
        "executedBy": "SYSTEM" if run.requested_by is None else str(run.requested_by),
        "executedAt": run.executed_at,
    }
