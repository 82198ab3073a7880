"""Jobs run once per period, whoever schedules them, however often; what was missed is made up, what fails is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

from core.domain.jobs import JOBS, JobName
from core.logging import JsonFormatter
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import BORN, Desk, open_desk, set_clock
from workers.job_steps import JobRun, Step, Work
from workers.jobs import ATTEMPTS_MAX

if TYPE_CHECKING:
    from core.database import Connection

DAILY, MONTHLY = JobName.RESTRICTIONS_AUTO_DATE, JobName.MONTHLY_CLOSING
# 06:00 UTC.
DUE = datetime(2030, 1, 15, 6, 0, tzinfo=UTC)


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase) -> AsyncIterator[Desk]:
    await set_clock(arena)
    async with open_desk(arena, database, MONTHLY_CLOSING=Work(nothing)) as opened:
        yield opened


async def nothing(_: Connection, __: JobRun) -> Step:
    return Step({}, {}, is_done=True)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [orjson.loads(JsonFormatter().format(record)) for record in caplog.records]


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[dict[str, Any]]:
    return [line for line in lines(caplog) if line["action"] == action]


async def test_a_job_runs_once_at_its_hour_and_says_so(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "banca.job")
    await desk.pass_time(DUE - timedelta(seconds=1))
    assert [run["period"] for run in await desk.runs(DAILY)] == ["2030-01-14"]
    caplog.clear()
    for later in range(3):
        await desk.pass_time(DUE + timedelta(minutes=later))
    [_, run] = await desk.runs(DAILY)
    assert (run["period"], run["state"], run["trigger"]) == ("2030-01-15", "DONE", "SCHEDULE")
    assert run["counts"] == {
        "success": True, "activeRules": 0, "activeRulesOfSorteo": 0, "date": "2030-01-15", "numberInForce": "15",
        "executedAt": "2030-01-15T06:00:00.000Z",
    }  # fmt: skip
    [_], [complete] = told(caplog, "RESTRICTIONS_AUTO_DATE_START"), told(caplog, "RESTRICTIONS_AUTO_DATE_COMPLETE")
    assert complete["layer"] == "job"
    assert complete["payload"].items() >= run["counts"].items()
    [scheduled] = told(caplog, "RESTRICTIONS_AUTO_DATE_SCHEDULED")
    assert scheduled["payload"]["nextRun"] == "2030-01-16T06:00:00.000Z"
    assert scheduled["payload"]["delayMinutes"] == 1_440


async def test_a_leader_that_begins_says_when_each_job_runs(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "banca.job")
    await desk.schedule(DUE)
    await desk.schedule(DUE)
    [scheduled] = told(caplog, "MONTHLY_CLOSING_SCHEDULED")
    assert scheduled["payload"] == {"nextRun": "2030-02-01T08:00:00.000Z", "delayMinutes": 24_600, "bancas": 1}
    assert told(caplog, "SETTLEMENT_SCHEDULED") == []
    desk.calendar.forget()
    await desk.schedule(DUE)
    assert len(told(caplog, "MONTHLY_CLOSING_SCHEDULED")) == 2


async def test_two_schedulers_at_once_ask_once_and_two_workers_at_once_do_it_once(
    desk: Desk, arena: Arena, database: TestDatabase
) -> None:
    made: list[str] = []

    async def note(_: Connection, run: JobRun) -> Step:
        made.append(run.period)
        await asyncio.sleep(0.01)
        return Step({}, run.plus(steps=1), is_done=run.counts.get("steps", 0) == 3)

    works = {name.name: Work(note) for name in JobName}
    async with open_desk(arena, database, **works) as one, open_desk(arena, database, **works) as two:
        asked = await asyncio.gather(one.schedule(DUE), two.schedule(DUE))
        assert sum(asked) == len(JobName) - 1, "the month is not over"
        await asyncio.gather(one.work(), two.work())
        await asyncio.gather(one.work(), two.work())
    states = await arena.owner.fetch("SELECT job, state::text, counts->>'steps' AS steps FROM job_runs")
    enabled = {name for name in JobName if JOBS[name].is_enabled} - {MONTHLY}
    assert {(row["job"], row["steps"]) for row in states if row["state"] == "DONE"} == {(name, "4") for name in enabled}
    assert len(made) == 4 * len(enabled)


async def test_a_scheduler_waits_for_no_run(desk: Desk, database: TestDatabase) -> None:
    """It closes draws, too. A step holds its run until it ends."""
    await desk.schedule(DUE)
    worker = await asyncpg.connect(database.owner_url)
    async with worker.transaction():
        runs = await worker.fetch("SELECT banca_id, id, job FROM job_runs WHERE state = 'REQUESTED'")
        for run in runs:
            assert await worker.fetch("SELECT FROM begin_job_step($1, $2, $3, 0)", *run)
        desk.calendar.forget()
        assert await asyncio.wait_for(desk.schedule(DUE + timedelta(minutes=59)), 5) == 0
    await worker.close()


async def test_a_scheduler_that_was_down_over_nights_makes_up_the_newest_day_once(desk: Desk) -> None:
    await desk.pass_time(BORN + timedelta(hours=20))
    await desk.pass_time(DUE + timedelta(days=3, hours=20))
    await desk.pass_time(DUE + timedelta(days=4))
    assert [(run["period"], run["state"]) for run in await desk.runs(DAILY)] == [
        ("2030-01-11", "DONE"), ("2030-01-18", "DONE"), ("2030-01-19", "DONE"),
    ]  # fmt: skip


async def test_a_scheduler_that_was_down_over_months_makes_up_each_of_them(desk: Desk) -> None:
    await desk.pass_time(datetime(2030, 2, 1, 7, 59, tzinfo=UTC))
    assert await desk.runs(MONTHLY) == []
    await desk.pass_time(datetime(2030, 4, 17, 1, 0, tzinfo=UTC))
    assert [(run["period"], run["state"]) for run in await desk.runs(MONTHLY)] == [
        ("2030-01", "DONE"), ("2030-02", "DONE"), ("2030-03", "DONE"),
    ]  # fmt: skip


async def test_a_job_that_is_off_is_skipped_once_a_period_and_runs_when_somebody_asks(desk: Desk) -> None:
    await desk.pass_time(DUE + timedelta(hours=1))
    off = await desk.only_run(JobName.SORTEOS_AUTO_OPEN)
    assert (off["state"], off["reason"]) == ("SKIPPED", "disabled")
    await desk.enable(JobName.SORTEOS_AUTO_OPEN)
    await desk.pass_time(DUE + timedelta(hours=2))
    assert len(await desk.runs(JobName.SORTEOS_AUTO_OPEN)) == 1
    await desk.ask(JobName.SORTEOS_AUTO_OPEN)
    await desk.work()
    assert [(run["trigger"], run["state"]) for run in await desk.runs(JobName.SORTEOS_AUTO_OPEN)] == [
        ("MANUAL", "DONE"), ("SCHEDULE", "SKIPPED"),
    ]  # fmt: skip


async def test_a_job_that_was_switched_off_meanwhile_does_not_begin(desk: Desk) -> None:
    await desk.schedule(DUE)
    await desk.enable(DAILY, is_enabled=False)
    await desk.work()
    run = await desk.only_run(DAILY)
    assert (run["state"], run["reason"], run["counts"]) == ("SKIPPED", "disabled", {})


async def test_a_banca_that_is_closed_has_no_jobs(desk: Desk) -> None:
    await desk.arena.owner.execute("UPDATE bancas SET is_active = false")
    assert await desk.schedule(DUE) == 0


async def test_what_fails_is_tried_again_later_and_given_up_in_the_end(
    desk: Desk, arena: Arena, database: TestDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(connection: Connection, _: JobRun) -> Step:
        await connection.execute("SELECT 1 / 0")
        raise AssertionError("not reached")

    async with open_desk(arena, database, RESTRICTIONS_AUTO_DATE=Work(fail)) as failing:
        await failing.schedule(DUE)
        now = DUE
        for attempt in range(1, ATTEMPTS_MAX + 1):
            failing.jobs.at = now
            assert await failing.work() > 0 or attempt > 1, "the others are not kept waiting"
            run = await failing.only_run(DAILY)
            assert (run["attempts"], run["error_type"], run["error_code"]) == (attempt, "UNKNOWN_ERROR", "22012")
            # Not before its time.
            assert await failing.work() == 0
            assert (await failing.only_run(DAILY))["attempts"] == attempt
            now += timedelta(minutes=2**attempt)
    assert (await desk.only_run(DAILY))["state"] == "FAILED"
    [line] = told(caplog, "RESTRICTIONS_AUTO_DATE_JOB_FAIL")
    assert line["payload"].items() >= {
        "errorType": "UNKNOWN_ERROR", "errorCode": "22012", "error": "DivisionByZeroError: division by zero"
    }.items()  # fmt: skip
    # The next day is another chance.
    await desk.pass_time(DUE + timedelta(days=1))
    assert [run["state"] for run in await desk.runs(DAILY)] == ["FAILED", "DONE"]


async def test_a_month_that_failed_is_gone_on_with_every_day(desk: Desk, arena: Arena, database: TestDatabase) -> None:
    """No later run closes it."""
    is_mended = False

    async def close(_: Connection, run: JobRun) -> Step:
        if run.counts and not is_mended:
            raise ValueError("not now")
        return Step({}, run.plus(steps=1), is_done=run.counts.get("steps") == 2)

    first = datetime(2030, 2, 1, 8, 0, tzinfo=UTC)
    async with open_desk(arena, database, MONTHLY_CLOSING=Work(close)) as failing:
        for minutes in range(60):
            await failing.pass_time(first + timedelta(minutes=minutes))
        assert (await failing.only_run(MONTHLY))["state"] == "FAILED"
        is_mended = True
        await failing.pass_time(first + timedelta(hours=23))
        assert (await failing.only_run(MONTHLY))["state"] == "FAILED"
        await failing.pass_time(first + timedelta(hours=25))
        run = await failing.only_run(MONTHLY)
    assert (run["state"], run["counts"], run["period"]) == ("DONE", {"steps": 3}, "2030-01")
    assert run["error_type"] is None


async def test_a_database_that_does_not_answer_skips_a_job_and_leaves_it_due(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.schedule(DUE)

    async def cold() -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(desk.jobs, "is_warm", cold)
        assert await desk.work() == 0
        assert await desk.work() == 0
    assert len(told(caplog, "RESTRICTIONS_AUTO_DATE_SKIP")) == 2
    assert (
        told(caplog, "RESTRICTIONS_AUTO_DATE_SKIP")[0]["payload"]["reason"] == "Connection warmup failed after retries"
    )
    assert (await desk.only_run(DAILY))["state"] == "REQUESTED"
    await desk.work()
    run = await desk.only_run(DAILY)
    assert (run["state"], run["skips"]) == ("DONE", 2)
