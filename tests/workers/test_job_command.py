"""`./banca job`: asks like the API does, waits for the end, and says how it went."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.domain.jobs import JobName
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.job_desk import Desk, open_desk
from tests.workers.pipeline import ROOT
from tests.workers.test_jobs import nothing
from workers import rounds
from workers.job_steps import Work


async def command(database: TestDatabase, *arguments: str) -> tuple[int, str, str]:
    """Its exit code, and what it wrote."""
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-m", "cli", "job", *arguments],
        env={**os.environ, "DATABASE_URL": database.owner_url},
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return run.returncode, run.stdout, run.stderr


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(desk.jobs.run(stop))
    yield
    stop.set()
    desk.jobs.wake()
    await running


@pytest.fixture
async def desk(arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    # No relay runs here that would wake it.
    monkeypatch.setattr(rounds, "LOOK_EVERY_S", 0.05)
    async with open_desk(arena, database, MONTHLY_CLOSING=Work(nothing)) as opened:
        yield opened


async def test_a_job_is_run_to_its_end_and_its_counts_are_printed(
    desk: Desk, arena: Arena, database: TestDatabase
) -> None:
    code = await arena.owner.fetchval("SELECT code FROM bancas")
    async with working(desk):
        status, printed, _ = await command(database, "run", "restrictions-auto-date", "--json")
        closed, told, _ = await command(database, "run", "monthly-closing", "--month", "2024-11", "--banca", code)
    [run] = json.loads(printed)
    assert (status, run["banca"], run["state"], run["counts"]["activeRules"]) == (0, code, "DONE", 0)
    assert closed == 0
    assert told.startswith(f"{code}  monthly-closing 2024-11  DONE")
    who = await arena.owner.fetchval("SELECT DISTINCT reason FROM job_runs")
    assert who.startswith("cli:")


async def test_a_job_that_nobody_works_at_is_no_success(arena: Arena, database: TestDatabase) -> None:
    status, printed, _ = await command(database, "run", "settlement", "--wait", "1")
    assert status == 1
    assert "does a worker run?" in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "nothing"], "there is no such job"),
        (["run", "settlement", "--month", "2024-11"], "has no month to close"),
        (["run", "monthly-closing", "--month", "2024-13"], "expected a month"),
        (["run", "monthly-closing", "--month", "2099-01"], "is not over"),
        (["run", "settlement", "--banca", "nobody"], "there is no such banca"),
    ],
)
async def test_what_cannot_be_run_is_said_in_a_line(
    arena: Arena, database: TestDatabase, arguments: list[str], complaint: str
) -> None:
    status, _, errors = await command(database, *arguments)
    assert status == 1
    assert complaint in errors
    assert len(errors.splitlines()) == 1
    assert await arena.owner.fetchval("SELECT count(*) FROM job_runs") == 0


async def test_every_job_is_listed(arena: Arena, database: TestDatabase) -> None:
    status, printed, _ = await command(database, "list", "--json")
    listed = json.loads(printed)
    assert (status, [job["job"] for job in listed]) == (0, list(JobName))
    _, lines, _ = await command(database, "list")
    assert len(lines.splitlines()) == len(JobName)
