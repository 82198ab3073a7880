"""`./banca up` runs a scheduler and another one when that dies: draws close by themselves, each once."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest

from cli.stack import Stack
from loadtests.bench.processes import children_of, command_of
from tests.stack.up import Run, running_up
from tests.workers.pipeline import eventually
from tests.workers.scheduling import closing_waits

if TYPE_CHECKING:
    from tests.arena import Owner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


async def scheduler_of(up: Run) -> int:
    """As soon as it is one: a child that was just made still has its parent's command line."""

    async def found() -> int:
        pids = [pid for pid in children_of(up.pid) if "workers.scheduler" in command_of(pid)]
        return pids[0] if len(pids) == 1 else 0

    return await eventually(found)


async def overdue(owner: Owner) -> UUID:
    """An open draw of the demo banca; its sales are over."""
    sorteo_id = uuid4()
    await owner.execute(
        "INSERT INTO sorteos (banca_id, id, loteria_id, name, status, scheduled_at)"
        " SELECT banca_id, $1, id, 'Late', 'OPEN', $2 FROM loterias LIMIT 1",
        sorteo_id, datetime.now(UTC) - timedelta(seconds=10),
    )  # fmt: skip
    return sorteo_id


async def closings(owner: Owner, sorteo_id: UUID) -> int:
    count: int = await owner.fetchval(
        "SELECT count(*) FROM sorteo_states WHERE sorteo_id = $1 AND to_status = 'CLOSED' AND actor_id IS NULL",
        sorteo_id,
    )
    return count


async def test_the_scheduler_is_killed_across_a_closing_and_its_successor_goes_on(tmp_path: Path) -> None:
    with running_up(tmp_path, "--only", "scheduler") as up:
        url = Stack.load(tmp_path).owner_url
        owner, batch = await asyncpg.connect(url), await asyncpg.connect(url)
        try:
            killed = await scheduler_of(up)
            # The closing holds its draw, and waits for its place in the history.
            async with batch.transaction():
                await batch.execute("LOCK TABLE sorteo_states IN EXCLUSIVE MODE")
                first = await overdue(owner)
                await eventually(lambda: closing_waits(owner))
                os.kill(killed, signal.SIGKILL)
            assert await eventually(lambda: closings(owner, first))
            second = await overdue(owner)
            assert await eventually(lambda: closings(owner, second))
            assert await scheduler_of(up) != killed
            assert (await closings(owner, first), await closings(owner, second)) == (1, 1)
        finally:
            await owner.close()
            await batch.close()
