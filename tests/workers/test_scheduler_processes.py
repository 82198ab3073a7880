"""Schedulers as real processes, killed across a closing: it is done late, and once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.state import findings
from tests.workers.pipeline import ROOT, eventually
from tests.workers.scheduling import closing_waits, locked

if TYPE_CHECKING:
    from tests.arena import Owner

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start(database: TestDatabase, tmp_path: Path) -> Iterator[Start]:
    """Starts a scheduler; all are killed in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DATABASE_URL": database.worker_url}
        with (tmp_path / f"{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workers.scheduler"], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


async def due_in(arena: Arena, seconds: float) -> UUID:
    """An open draw that closes so much later: the banca's cutoff is a minute."""
    closes_at = datetime.now(UTC) + timedelta(seconds=seconds)
    sorteo_id = await arena.add_sorteo()
    await arena.owner.execute(
        "UPDATE sorteos SET scheduled_at = $2 WHERE id = $1", sorteo_id, closes_at + timedelta(seconds=59)
    )
    return sorteo_id


async def schedulers_connected(owner: Owner) -> int:
    count: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banca-scheduler'"
        " AND datname = current_database()"
    )
    return count


async def closings(owner: Owner, sorteo_id: UUID) -> list[Any]:
    return await owner.fetch(
        "SELECT at, actor_id FROM sorteo_states WHERE sorteo_id = $1 AND to_status = 'CLOSED'", sorteo_id
    )


async def test_a_draw_closes_by_itself_within_a_second(owner: Owner, arena: Arena, start: Start) -> None:
    start()
    await eventually(lambda: schedulers_connected(owner))
    sorteo_id = await due_in(arena, 1.5)
    [closing] = await eventually(lambda: closings(owner, sorteo_id))
    due_at = await owner.fetchval("SELECT scheduled_at - interval '59 s' FROM sorteos WHERE id = $1", sorteo_id)
    assert timedelta(0) <= closing["at"] - due_at < timedelta(seconds=1)
    assert closing["actor_id"] is None


async def test_the_leader_is_killed_across_a_closing_and_another_closes_once(
    owner: Owner, arena: Arena, database: TestDatabase, start: Start
) -> None:
    sorteo_id = await due_in(arena, 0)
    async with locked(database, sorteo_id):
        leader = start()
        await eventually(lambda: closing_waits(owner))
        connected = await schedulers_connected(owner)
        follower = start()

        async def both_run() -> bool:
            return await schedulers_connected(owner) > connected

        await eventually(both_run)
        leader.kill()
        leader.wait()
        # The new leader's closing waits behind the dead one's, which the server has not given up yet.
        await eventually(lambda: closing_waits(owner, 2))
    assert await eventually(lambda: closings(owner, sorteo_id))
    later = await due_in(arena, 0.5)
    assert await eventually(lambda: closings(owner, later))
    assert follower.poll() is None
    assert len(await closings(owner, sorteo_id)) == len(await closings(owner, later)) == 1
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'sorteos.moved'") == 2
    assert await findings(owner, arena.banca_id) == []


async def test_schedulers_are_killed_again_and_again_while_draws_close_and_each_closes_once(
    owner: Owner, arena: Arena, start: Start
) -> None:
    draws = [await due_in(arena, 0.1 * number) for number in range(60)]
    running = [start(), start()]

    async def closed(count: int) -> bool:
        total: int = await owner.fetchval("SELECT count(*) FROM sorteo_states")
        return total >= count

    for kill, count in enumerate((5, 20, 35)):
        await eventually(partial(closed, count))
        running[kill % 2].kill()
        running[kill % 2].wait()
        running[kill % 2] = start()
    await eventually(lambda: closed(60))
    assert [len(await closings(owner, sorteo_id)) for sorteo_id in draws] == [1] * 60
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'sorteos.moved'") == 60
    assert await findings(owner, arena.banca_id) == []


async def test_what_came_due_while_nobody_ran_is_done_late(owner: Owner, arena: Arena, start: Start) -> None:
    overdue, opening = await due_in(arena, -3_600), await due_in(arena, 3_600)
    await owner.execute(
        "UPDATE sorteos SET status = 'SCHEDULED', opens_at = now() - interval '1 minute' WHERE id = $1", opening
    )
    process = start()
    assert len(await eventually(lambda: closings(owner, overdue))) == 1

    async def opened() -> bool:
        return bool(await owner.fetchval("SELECT status = 'OPEN' FROM sorteos WHERE id = $1", opening))

    await eventually(opened)
    process.terminate()
    assert process.wait(10) == 0
