"""Rounds of a worker that runs jobs: what it passes over, what it waits for, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from core.database import DatabaseUnavailableError
from core.domain.jobs import JOBS, JobName
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import BORN, Desk, open_desk, set_clock
from tests.workers.pipeline import eventually
from tests.workers.test_jobs import nothing
from workers.job_steps import JobEnd, JobRun, Step, Work

if TYPE_CHECKING:
    from core.database import Connection

DAILY = JobName.RESTRICTIONS_AUTO_DATE
# 06:00 UTC.
DUE = datetime(2030, 1, 15, 6, 0, tzinfo=UTC)


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase) -> AsyncIterator[Desk]:
    await set_clock(arena)
    async with open_desk(arena, database, MONTHLY_CLOSING=Work(nothing)) as opened:
        yield opened


async def test_a_warm_up_asks_five_times(desk: Desk) -> None:
    await desk.jobs.database.pool.close()
    began_s = asyncio.get_running_loop().time()
    assert not await desk.jobs.is_warm()
    # 1 + 2 + 3 + 4 pauses of 0.01 s.
    assert asyncio.get_running_loop().time() - began_s >= 0.1
    with pytest.raises(DatabaseUnavailableError):
        await desk.jobs.run_once()


async def test_jobs_that_only_a_newer_worker_knows_keep_no_other_waiting(
    desk: Desk, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.jobs.TO_DO_MAX", 2)
    for n in range(3):
        await arena.owner.execute(
            "INSERT INTO job_runs (banca_id, id, job, period, trigger, state, due_at, next_attempt_at, requested_at)"
            " VALUES ($1, gen_random_uuid(), 'of-tomorrow', $2, 'SCHEDULE', 'REQUESTED', $3, $3, $3)",
            arena.banca_id, f"2030-01-0{n + 1}", BORN,
        )  # fmt: skip
    await desk.pass_time(DUE)
    assert (await desk.only_run(DAILY))["state"] == "DONE"


async def test_a_run_ends_when_its_last_step_does(desk: Desk, arena: Arena, database: TestDatabase) -> None:
    async def slow(connection: Connection, _: JobRun) -> Step:
        await connection.execute("SELECT pg_sleep(0.02)")
        return Step({}, {}, is_done=True)

    await arena.owner.execute("UPDATE instance SET test_clock = false")
    async with open_desk(arena, database, RESTRICTIONS_AUTO_DATE=Work(slow)) as slowly:
        # Asked long ago; what time it is the database says.
        slowly.jobs.at = datetime(2026, 1, 1, tzinfo=UTC)
        await slowly.ask(DAILY)
        await slowly.work()
    took = await arena.owner.fetchval("SELECT finished_at - started_at FROM job_runs")
    assert took >= timedelta(seconds=0.02)


# As a deadlock does.
UNNOTED = """
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not now' USING ERRCODE = 'deadlock_detected';
END $$;
CREATE TRIGGER stumble BEFORE UPDATE ON job_runs FOR EACH ROW WHEN (NEW.attempts > OLD.attempts)
    EXECUTE FUNCTION stumble()
"""


async def test_trouble_that_cannot_be_written_down_keeps_no_other_waiting(
    desk: Desk, arena: Arena, database: TestDatabase
) -> None:
    async def fail(_: Connection, __: JobRun) -> Step:
        raise ValueError("no such rule")

    await arena.owner.execute(UNNOTED)
    # The first of the round: it was due before the others.
    async with open_desk(arena, database, ACTIVITY_LOG_CLEANUP=Work(fail)) as failing:
        await failing.pass_time(DUE)
    assert (await desk.only_run(JobName.ACTIVITY_LOG_CLEANUP))["state"] == "REQUESTED"
    assert (await desk.only_run(DAILY))["state"] == "DONE"


async def test_after_a_stop_no_step_begins(desk: Desk, arena: Arena, database: TestDatabase) -> None:
    stop = asyncio.Event()
    made: list[JobName] = []

    async def note(_: Connection, run: JobRun) -> Step:
        made.append(run.job.name)
        stop.set()
        return Step({}, {}, is_done=True)

    async with open_desk(arena, database, **{name.name: Work(note) for name in JobName}) as stopped:
        await stopped.schedule(DUE)
        await asyncio.wait_for(stopped.jobs.run(stop), 10)
    assert len(made) == 1


async def test_whoever_is_told_of_ends_is_told_of_all_of_a_round_at_once(
    desk: Desk, arena: Arena, database: TestDatabase
) -> None:
    """One that does not answer is waited for once, not once for each banca."""
    ends = len([job for job in JOBS.values() if job.is_enabled and not job.is_monthly])
    everybody = asyncio.Barrier(ends)
    told: list[JobName] = []

    async def wait_for_the_others(end: JobEnd) -> None:
        await asyncio.wait_for(everybody.wait(), 2)
        told.append(end.job.name)

    works = {name.name: Work(nothing, wait_for_the_others) for name in JobName}
    async with open_desk(arena, database, **works) as told_of:
        await told_of.pass_time(DUE)
    # The others are off: they end without having begun.
    assert len(told) == ends


async def test_a_stop_waits_for_the_step_that_runs(desk: Desk, arena: Arena, database: TestDatabase) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Connection, __: JobRun) -> Step:
        begun.set()
        await go_on.wait()
        return Step({}, {}, is_done=True)

    async with open_desk(arena, database, RESTRICTIONS_AUTO_DATE=Work(slow)) as slowly:
        await slowly.schedule(DUE)
        stop = asyncio.Event()
        running = asyncio.create_task(slowly.jobs.run(stop))
        await asyncio.wait_for(begun.wait(), 10)
        stop.set()
        await asyncio.sleep(0)
        assert not running.done()
        go_on.set()
        await asyncio.wait_for(running, 10)
    assert (await desk.only_run(DAILY))["state"] == "DONE"


async def test_news_wakes_a_worker_that_rests(desk: Desk) -> None:
    desk.jobs.at = DUE
    stop = asyncio.Event()
    running = asyncio.create_task(desk.jobs.run(stop))
    await desk.schedule(DUE)
    desk.jobs.wake()

    async def is_done() -> bool:
        return bool((await desk.only_run(DAILY))["state"] == "DONE")

    await eventually(is_done, deadline_s=4)
    stop.set()
    await asyncio.wait_for(running, 10)
