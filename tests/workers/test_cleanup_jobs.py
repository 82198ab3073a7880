"""Clean-ups as jobs: in steps, to the end; and who else is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from core.domain.jobs import JobName
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import open_desk, set_clock
from tests.till.shop import open_shop, sold
from tests.till.tickets import sale, ticket
from tests.workers.pipeline import Pipeline
from tests.workers.test_chain import record_all
from workers import cleanup_jobs
from workers.cleanup_jobs import trim_trail, webhook
from workers.job_steps import Work

NIGHT = datetime(2030, 1, 15, 2, 0, tzinfo=UTC)


@asynccontextmanager
async def listener(status: int, heard: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Somebody who wants to be told; gives the address."""

    async def hear(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/told", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/told"
    await runner.cleanup()


@pytest.mark.parametrize("status", [200, 500])
async def test_the_trail_is_trimmed_in_steps_and_somebody_is_told(
    redis_pipeline: Pipeline, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(cleanup_jobs, "ROWS_PER_STEP", 2)
    for _ in range(4):
        await redis_pipeline.sale(arena.banca_id, tickets=2)
    await record_all(redis_pipeline)
    await set_clock(arena)
    heard: list[dict[str, Any]] = []
    async with (
        listener(status, heard) as url,
        open_desk(arena, database, ACTIVITY_LOG_CLEANUP=Work(trim_trail, webhook(url))) as desk,
    ):
        await desk.pass_time(NIGHT)
        # What somebody else does with it changes nothing.
        run = await desk.only_run(JobName.ACTIVITY_LOG_CLEANUP)
    assert run["state"] == "DONE"
    assert run["counts"] == {
        "success": True, "deletedCount": 6, "retentionDays": 45, "cutoff": "2029-12-01T02:00:00.000Z",
        "executedAt": "2030-01-15T02:00:00.000Z",
    }  # fmt: skip
    [told] = heard
    assert datetime.fromisoformat(told.pop("timestamp")) <= datetime.now(UTC)
    assert told == {
        "event": "activity_log_cleanup", "deletedCount": 6, "status": "success", "bancaId": str(arena.banca_id)
    }  # fmt: skip
    assert (await redis_pipeline.verify(arena.banca_id)).first_position == 4


async def test_nobody_listening_stops_no_clean_up(arena: Arena, database: TestDatabase) -> None:
    await set_clock(arena)
    gone = webhook("http://127.0.0.1:1/told")
    async with open_desk(arena, database, ACTIVITY_LOG_CLEANUP=Work(trim_trail, gone)) as desk:
        await desk.pass_time(NIGHT)
        assert (await desk.only_run(JobName.ACTIVITY_LOG_CLEANUP))["state"] == "DONE"
    assert webhook(None) is None


async def test_keys_are_walked_to_the_last_one(
    arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup_jobs, "KEYS_PER_STEP", 2)
    async with open_shop(database.api_url) as shop:
        for n in range(5):
            sold(await shop.sell(sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", 100)))))
    async with arena.owner.transaction():
        await arena.owner.execute("SET LOCAL session_replication_role = replica")
        await arena.owner.execute("UPDATE sorteos SET status = 'EVALUATED'")
    await set_clock(arena)
    async with open_desk(arena, database) as desk:
        await desk.enable(JobName.IDEMPOTENCY_CLEANUP, retention_days=35)
        await desk.pass_time(NIGHT + timedelta(minutes=30))
        counts = (await desk.only_run(JobName.IDEMPOTENCY_CLEANUP))["counts"]
    assert (counts["deletedCount"], counts["retentionDays"]) == (5, 35)
    assert await arena.owner.fetchval("SELECT count(*) FROM idempotency") == 0
    assert await arena.owner.fetchval("SELECT before FROM retention_cuts") == datetime(2029, 12, 11, 2, 30, tzinfo=UTC)


async def test_old_runs_go_but_the_newest_of_each_end(
    arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup_jobs, "ROWS_PER_STEP", 2)
    await set_clock(arena)
    night = NIGHT + timedelta(minutes=45)
    old, young = night - timedelta(days=400, seconds=1), night - timedelta(days=400)
    ends = [
        *[("settlement", "DONE", old - timedelta(days=n)) for n in range(4)],
        *[("settlement", "FAILED", old - timedelta(days=n)) for n in range(2)],
        *[("monthly-closing", "DONE", young - timedelta(seconds=n)) for n in range(2)],
        ("monthly-closing", "SKIPPED", young),
    ]
    for job, state, at in ends:
        await arena.owner.execute(
            "INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, day, next_attempt_at, requested_at,"
            " started_at, finished_at) VALUES ($1, gen_random_uuid(), $2, '2028-01-01', 'MANUAL', $3::text::job_state, $4,"
            " '2028-01-01', $4, $4, $4, $4)",
            arena.banca_id, job, state, at,
        )  # fmt: skip
    async with open_desk(arena, database) as desk:
        await desk.pass_time(night)
        run = await desk.only_run(JobName.JOB_RUNS_CLEANUP)
    assert (run["state"], run["counts"]["deletedCount"], run["counts"]["retentionDays"]) == ("DONE", 5, 400)
    left = await arena.owner.fetch(
        "SELECT job, state::text, finished_at FROM job_runs WHERE period = '2028-01-01' ORDER BY 1, 2"
    )
    assert [tuple(row) for row in left] == [
        ("monthly-closing", "DONE", young), ("monthly-closing", "SKIPPED", young),
        ("settlement", "DONE", old), ("settlement", "FAILED", old),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "days"),
    [("SELECT trim_job_runs($1, $2, 10)", 400), ("SELECT trim_keys($1, $2, NULL, NULL, 10)", 35)],
)
async def test_a_day_has_24_hours_wherever_the_server_stands(arena: Arena, query: str, days: int) -> None:
    """Also where clocks were put back since, so that as many calendar days take an hour more."""
    before = datetime.now(UTC) - timedelta(days=days)
    # They were an hour ahead in the ten days around it, of every year.
    begin, end = ((before + timedelta(days=n)).timetuple().tm_yday % 365 for n in (-5, 5))
    await arena.owner.execute(f"SET TimeZone = 'WINTER0SUMMER,{begin},{end}'")
    assert await arena.owner.fetchval(query, arena.banca_id, before)


async def test_no_run_goes_that_would_be_made_up_again(arena: Arena) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="400 days"):
        await arena.owner.execute("SELECT trim_job_runs($1, now() - interval '399 days', 10)", arena.banca_id)
