"""Jobs that end what is kept for a time only: the beginning of the audit trail, idempotency keys, and old runs of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg

from core.domain.calendar import format_instant
from core.logging import Log
from core.queries import sql
from workers.job_steps import Ended, JobEnd, JobRun, Step

if TYPE_CHECKING:
    from core.database import Connection

# About a tenth of a second.
ROWS_PER_STEP = 5_000
KEYS_PER_STEP = 20_000
WEBHOOK_TIMEOUT_S = 5.0

log = Log("job")


async def trim_trail(connection: Connection, run: JobRun) -> Step:
    """Cut the trail's oldest rows off, and their links."""
    rows = run.at_once(ROWS_PER_STEP)
    return trimmed(run, await connection.fetchrow(sql("jobs/trim_trail"), run.banca_id, cutoff(run), rows))


async def trim_runs(connection: Connection, run: JobRun) -> Step:
    """Delete old runs of jobs."""
    rows = run.at_once(ROWS_PER_STEP)
    return trimmed(run, await connection.fetchrow(sql("jobs/trim_job_runs"), run.banca_id, cutoff(run), rows))


def trimmed(run: JobRun, row: asyncpg.Record | None) -> Step:
    assert row is not None, "what trims gives one row"
    counts = run.plus(deletedCount=row["deleted"])
    if row["is_more"]:
        return Step({}, counts, is_done=False)
    return Step({}, told(run, counts), is_done=True)


async def trim_keys(connection: Connection, run: JobRun) -> Step:
    """Walk some keys, and delete those that are old enough."""
    after = run.progress.get("actor"), run.progress.get("key")
    keys = run.at_once(KEYS_PER_STEP)
    row = await connection.fetchrow(sql("jobs/trim_keys"), run.banca_id, cutoff(run), *after, keys)
    assert row is not None, "trim_keys gives one row"
    counts = run.plus(deletedCount=row["deleted"])
    if row["last_key"] is not None:
        return Step({"actor": str(row["last_actor"]), "key": row["last_key"]}, counts, is_done=False)
    return Step({}, told(run, counts), is_done=True)


def cutoff(run: JobRun) -> datetime:
    assert run.settings.retention_days is not None, "clean-ups have a retention"
    return run.started_at - timedelta(days=run.settings.retention_days)


def told(run: JobRun, counts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "success": True,
        **counts,
        "retentionDays": run.settings.retention_days,
        "cutoff": format_instant(cutoff(run)),
        "executedAt": run.executed_at,
    }


def webhook(url: str | None) -> Ended | None:
    """Tells somebody else what a clean-up deleted; whether they listen changes nothing here."""
    if url is None:
        return None

    async def post(end: JobEnd) -> None:
        document = {
            "event": "activity_log_cleanup",
            "timestamp": format_instant(datetime.now(UTC)),
            "deletedCount": end.counts.get("deletedCount", 0),
            "status": "success" if end.is_done else "error",
            "bancaId": str(end.banca_id),
        }
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url, json=document) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("CLEANUP_WEBHOOK_FAILED", reason=f"{type(error).__name__}: {error}", runId=str(end.run_id))

    return post
