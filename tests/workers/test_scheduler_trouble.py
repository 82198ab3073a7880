"""Draws open and close by themselves whoever dies, and whatever stands in the way of some of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.database import DatabaseUnavailableError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.state import findings
from tests.workers.pipeline import eventually
from tests.workers.scheduling import (
    NOON,
    BrokenRules,
    History,
    Make,
    Usurped,
    at,
    closing_waits,
    draw,
    locked,
    make,
    scheduler,
)
from workers.scheduler import Scheduler

__all__ = ["make", "scheduler"]


async def test_two_schedulers_at_once_move_every_draw_of_every_banca_once(make: Make, arena: Arena) -> None:
    other = await Arena.create(arena.owner, arena.settings, sorteos=0)
    draws = [
        await draw(place, NOON + timedelta(milliseconds=number)) for number in range(20) for place in (arena, other)
    ]
    schedulers = [await make() for _ in range(2)]
    for each in schedulers:
        each.at = NOON + timedelta(minutes=1)

    async def five_looks(scheduler: Scheduler) -> list[int | None]:
        return [await scheduler.run_once() for _ in range(5)]

    moved = await asyncio.gather(*map(five_looks, schedulers))
    assert sorted(sum(count or 0 for count in looks) for looks in moved) == [0, len(draws)]
    assert sorted(looks.count(None) for looks in moved) == [0, 5]
    assert {tuple(await one.changes()) for one in draws} == {(("OPEN", "CLOSED"),)}
    for place in (arena, other):
        assert await findings(place.owner, place.banca_id) == []


async def test_one_leads_and_the_others_follow_until_it_dies(make: Make, arena: Arena, database: TestDatabase) -> None:
    leader, follower = await make(), await make()
    one = await draw(arena, NOON)
    leader.at = follower.at = NOON + timedelta(minutes=1)
    async with locked(database, one.sorteo_id):
        leading = asyncio.create_task(leader.run_once())
        await eventually(lambda: closing_waits(arena.owner))
        assert await follower.run_once() is None
        # As its host's death would do it; the statement that waits goes on in the server, and finds out later.
        leader.database.pool.terminate()
        with pytest.raises(DatabaseUnavailableError):
            await leading
    await eventually(lambda: acted(follower, one))
    assert await one.changes() == [("OPEN", "CLOSED")]
    events = await arena.owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'sorteos.moved'")
    assert events == 1


async def acted(scheduler: Scheduler, one: History) -> list[Any]:
    await scheduler.run_once()
    return await one.changes()


async def test_without_a_lock_that_leads_two_schedulers_still_move_each_draw_once(make: Make, arena: Arena) -> None:
    draws = [await draw(arena, NOON + timedelta(milliseconds=number)) for number in range(20)]
    schedulers = [await make() for _ in range(2)]
    for each in schedulers:
        each.at = NOON + timedelta(minutes=1)
        each.leadership = Usurped(each.database)
    moved = await asyncio.gather(*(scheduler.run_once() for scheduler in schedulers))
    assert sum(count or 0 for count in moved) == len(draws)
    assert {tuple(await one.changes()) for one in draws} == {(("OPEN", "CLOSED"),)}
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_draw_that_is_being_sold_does_not_keep_the_others_waiting(
    scheduler: Scheduler, arena: Arena, database: TestDatabase
) -> None:
    sold, *others = [await draw(arena, NOON + timedelta(milliseconds=number)) for number in range(5)]
    scheduler.at = NOON + timedelta(minutes=1)

    async def others_closed() -> bool:
        return all([await other.changes() == [("OPEN", "CLOSED")] for other in others])

    async with locked(database, sold.sorteo_id):
        cycle = asyncio.create_task(scheduler.run_once())
        await eventually(others_closed)
        assert await sold.changes() == []
    assert await cycle == 5
    assert await sold.changes() == [("OPEN", "CLOSED")]


async def test_a_draw_that_stays_locked_too_long_fails_alone(make: Make, arena: Arena, database: TestDatabase) -> None:
    scheduler = await make(timeout_s=0.3)
    stuck, *others = [await draw(arena, NOON + timedelta(milliseconds=number)) for number in range(5)]
    async with locked(database, stuck.sorteo_id):
        assert await at(scheduler, NOON + timedelta(minutes=1)) == 4
        assert {tuple(await other.changes()) for other in others} == {(("OPEN", "CLOSED"),)}
    assert await at(scheduler, NOON + timedelta(minutes=1)) == 1
    assert await stuck.changes() == [("OPEN", "CLOSED")]


@pytest.mark.parametrize("why", [ValueError("not to be read"), DatabaseUnavailableError("took too long")])
async def test_a_banca_whose_rules_cannot_be_read_stops_nobody_and_its_draws_close_with_their_draw(
    scheduler: Scheduler, arena: Arena, why: Exception
) -> None:
    broken = await Arena.create(arena.owner, arena.settings, sorteos=0)
    assert isinstance(scheduler.rulebooks, BrokenRules)
    scheduler.rulebooks.broken, scheduler.rulebooks.why = broken.banca_id, why
    bad, good = await draw(broken, NOON), await draw(arena, NOON)
    assert await at(scheduler, NOON - timedelta(seconds=30)) == 1
    assert (await bad.changes(), await good.changes()) == ([], [("OPEN", "CLOSED")])
    assert await at(scheduler, NOON + timedelta(seconds=1)) == 1
    assert await bad.changes() == [("OPEN", "CLOSED")]


async def test_who_leads_holds_neither_a_snapshot_nor_a_table(make: Make, arena: Arena, database: TestDatabase) -> None:
    """However long it leads: old rows are cleaned up all the same, and no migration waits for it."""
    leader = await make()
    for _ in range(2):
        assert await leader.leadership.held()
        found = await arena.owner.fetch(
            "SELECT a.backend_xmin, a.backend_xid,"
            " ARRAY(SELECT l.locktype FROM pg_locks l WHERE l.pid = a.pid ORDER BY 1) AS locks"
            "  FROM pg_stat_activity a"
            " WHERE a.datname = current_database() AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()"
            # A worker of autovacuum has a transaction, too.
            "   AND a.backend_type = 'client backend'"
        )
        assert [tuple(row) for row in found] == [(None, None, ["advisory", "virtualxid"])]
