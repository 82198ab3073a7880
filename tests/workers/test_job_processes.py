"""Jobs in real processes: an event wakes a worker; whatever dies in the middle of a job, the end is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from core.domain.calendar import costa_rica_date, day_bounds
from core.domain.jobs import JobName
from core.settings import Settings
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.running_api import api_settings
from tests.till.state import findings
from tests.workers.pipeline import DOOMED, Pipeline, eventually
from tests.workers.test_chain import record_all
from tests.workers.test_evaluations import end, ended
from tests.workers.test_retention import age, trail_of
from workers.rounds import LOOK_EVERY_S

SORTEOS = 12
DEATHS = 3


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    """The arena needs the secrets only."""
    return api_settings(database_url=database.api_url)


async def ask(arena: Arena, job: JobName, *, banca_id: UUID | None = None, tomorrow: bool = False) -> UUID:
    day = costa_rica_date(datetime.now(UTC)) + timedelta(days=1)
    run_id: UUID = await arena.owner.fetchval(
        "SELECT request_job($1, $2, '2030-01-15', $3, NULL, 'api', NULL, NULL)",
        banca_id or arena.banca_id, job.value, day if tomorrow else None,
    )  # fmt: skip
    return run_id


async def is_done(arena: Arena, run_id: UUID) -> bool:
    return bool(await arena.owner.fetchval("SELECT state = 'DONE' FROM job_runs WHERE id = $1", run_id))


async def counts(arena: Arena, run_id: UUID) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        await arena.owner.fetchval("SELECT counts FROM job_runs WHERE id = $1", run_id)
    )
    return found


async def tomorrows_draws(arena: Arena) -> None:
    """Of a lottery that lets the job open them."""
    await arena.owner.execute("UPDATE loterias SET rules = rules || '{\"autoOpenEnabled\": true}'")
    start, _ = day_bounds(costa_rica_date(datetime.now(UTC)) + timedelta(days=1))
    await arena.owner.execute("DELETE FROM sorteos")
    await arena.owner.executemany(
        "INSERT INTO sorteos (banca_id, id, loteria_id, name, digits, scheduled_at) VALUES ($1, $2, $3, 'Tica', 2, $4)",
        [(arena.banca_id, uuid4(), arena.loteria_id, start + timedelta(hours=n + 1)) for n in range(SORTEOS)],
    )


async def test_an_event_wakes_the_worker(pipeline: Pipeline, arena: Arena) -> None:
    relay = pipeline.relay()
    with pipeline.worker():
        # It has looked, and rests.
        first = await ask(arena, JobName.RESTRICTIONS_AUTO_DATE)
        await relay.run_once()
        await eventually(lambda: is_done(arena, first))
        began_s = time.monotonic()
        second = await ask(arena, JobName.RESTRICTIONS_AUTO_DATE)
        await relay.run_once()
        await eventually(lambda: is_done(arena, second))
        assert time.monotonic() - began_s < LOOK_EVERY_S - 1
        await relay.run_once()
        await pipeline.await_done(set(await pipeline.events()))
    told = [row["action"] for row in await pipeline.trail(arena.banca_id) if row["target_type"] == "CRON_JOB"]
    assert told == ["JOB_REQUEST", "SYSTEM_ACTION"] * 2
    assert (await pipeline.verify(arena.banca_id)).first_break is None


async def test_workers_killed_in_the_middle_of_jobs_change_nothing_of_the_end(
    redis_pipeline: Pipeline, arena: Arena
) -> None:
    await tomorrows_draws(arena)
    banca_id, _ = await trail_of(redis_pipeline)
    await record_all(redis_pipeline)
    await age(arena.owner, banca_id, 1, 2, 3, 4)
    opening = await ask(arena, JobName.SORTEOS_AUTO_OPEN, tomorrow=True)
    trimming = await ask(arena, JobName.ACTIVITY_LOG_CLEANUP, banca_id=banca_id)
    progress = []
    for seed in range(DEATHS):
        process = redis_pipeline.process(str(DOOMED), "jobs", str(seed))
        try:
            await eventually(partial(ended, process))
            assert process.returncode == -signal.SIGKILL
        finally:
            end(process)
        await eventually(lambda: nobody_works(arena))
        progress.append(await arena.owner.fetchval("SELECT count(*) FROM sorteos WHERE status = 'OPEN'"))
        noted = await counts(arena, opening)
        assert noted.get("openedCount", 0) == progress[-1], "what is done and what is noted are one"
    assert progress == sorted(progress)
    assert 0 < progress[-1] < SORTEOS, "they got on, and not to the end"
    process = redis_pipeline.process("-m", "workers")
    try:
        await eventually(lambda: is_done(arena, opening))
        await eventually(lambda: is_done(arena, trimming))
    finally:
        end(process)
    assert (await counts(arena, opening))["openedCount"] == SORTEOS
    assert (await counts(arena, trimming))["deletedCount"] == 8
    assert await arena.owner.fetchval("SELECT count(*) FROM sorteo_states WHERE to_status = 'OPEN'") == SORTEOS
    assert (await redis_pipeline.verify(banca_id)).first_position == 5
    assert await findings(arena.owner, arena.banca_id) == []


async def test_schedulers_that_are_killed_and_started_again_ask_once(redis_pipeline: Pipeline, arena: Arena) -> None:
    for table, column in (("instance", "jobs_since"), ("bancas", "created_at")):
        await arena.owner.execute(f"UPDATE {table} SET {column} = now() - interval '40 days'")

    async def asked() -> list[tuple[str, str]]:
        rows = await arena.owner.fetch("SELECT job, period FROM job_runs ORDER BY job, period")
        return [(row["job"], row["period"]) for row in rows]

    first = redis_pipeline.process("-m", "workers.scheduler")
    try:
        await eventually(asked)
    finally:
        end(first)
    known = await asked()
    assert {job for job, _ in known} == set(JobName)
    others = [redis_pipeline.process("-m", "workers.scheduler") for _ in range(2)]
    try:
        await eventually(partial(announced, others))
        assert await asked() == known
    finally:
        for process in others:
            end(process)


async def announced(processes: list[subprocess.Popen[str]]) -> bool:
    """Whether one of them leads and has looked at its calendar."""
    return any(b"MONTHLY_CLOSING_SCHEDULED" in written(process) for process in processes)


def written(process: subprocess.Popen[str]) -> bytes:
    """What it wrote since it was asked last."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    try:
        return os.read(process.stdout.fileno(), 1 << 20)
    except BlockingIOError:
        return b""


async def nobody_works(arena: Arena) -> bool:
    working = await arena.owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banca-worker jobs'"
        " AND datname = current_database()"
    )
    return bool(working == 0)
