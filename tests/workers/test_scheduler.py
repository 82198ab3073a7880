"""Draws open and close by themselves: when, by whom, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from core.database import Database, DatabaseUnavailableError, create_pool
from core.domain.rulebook import Rulebook
from core.rulebooks import RulebookStore
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.state import findings
from tests.workers.pipeline import eventually
from workers.leadership import Leadership
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.arena import Owner

NOON = datetime(2030, 1, 15, 18, 0, tzinfo=UTC)
Make = Callable[[], Awaitable[Scheduler]]


class BrokenRules(RulebookStore):
    """One banca's rules cannot be read."""

    broken: UUID | None = None

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        if banca_id == self.broken:
            raise ValueError("not to be read")
        return await super().rulebook(banca_id)


class Usurped(Leadership):
    """Everybody leads."""

    async def held(self) -> bool:
        return True


@pytest.fixture
async def make(database: TestDatabase, arena: Arena) -> AsyncIterator[Make]:
    """Schedulers as processes have them: each with a pool of its own. Their time is told."""
    await arena.owner.execute("UPDATE instance SET test_clock = true")
    await arena.owner.execute("DELETE FROM sorteos")
    closing: list[Callable[[], Awaitable[object]]] = []

    async def made() -> Scheduler:
        pool = await create_pool(database.worker_url, size=5, timeout_s=5, application_name="banca-scheduler")
        store = BrokenRules(Database(pool, acquire_timeout_s=5))
        scheduler = Scheduler(store._database, store, at=NOON)
        closing.extend((scheduler.leadership.close, store.close, pool.close))
        return scheduler

    yield made
    for close in closing:
        await close()


@pytest.fixture
async def scheduler(make: Make) -> Scheduler:
    return await make()


@dataclass(frozen=True)
class History:
    """What became of a draw: from, to, and whether by itself."""

    owner: Owner
    sorteo_id: UUID

    async def changes(self) -> list[tuple[str, str]]:
        rows = await self.owner.fetch(
            "SELECT from_status::text, to_status::text, actor_id FROM sorteo_states WHERE sorteo_id = $1"
            " ORDER BY ordinal",
            self.sorteo_id,
        )
        assert all(row["actor_id"] is None for row in rows)
        return [(row["from_status"], row["to_status"]) for row in rows]


async def draw(arena: Arena, at: datetime, *, status: str = "OPEN", opens_at: datetime | None = None) -> History:
    sorteo_id = await arena.add_sorteo(minutes=1_000 + len(arena.sorteo_ids), status=status)
    arena.sorteo_ids.append(sorteo_id)
    await arena.owner.execute(
        "UPDATE sorteos SET scheduled_at = $2, opens_at = $3 WHERE id = $1", sorteo_id, at, opens_at
    )
    return History(arena.owner, sorteo_id)


async def at(scheduler: Scheduler, instant: datetime) -> int | None:
    scheduler.at = instant
    return await scheduler.run_once()


async def restrict(arena: Arena, minutes: int, **scope: UUID) -> None:
    members = {"whole_banca": not scope, "ventana_id": None, "user_id": None, **scope}
    await arena.owner.execute(
        "INSERT INTO restriction_rules (banca_id, id, whole_banca, ventana_id, user_id, sales_cutoff_minutes)"
        " VALUES ($1, gen_random_uuid(), $2, $3, $4, $5)",
        arena.banca_id, *members.values(), minutes,
    )  # fmt: skip


@asynccontextmanager
async def locked(database: TestDatabase, sorteo_id: UUID) -> AsyncIterator[None]:
    """As by a batch of tickets in flight."""
    other = await asyncpg.connect(database.owner_url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM sorteos WHERE id = $1 FOR NO KEY UPDATE", sorteo_id)
            yield
    finally:
        await other.close()


async def test_a_draw_closes_at_the_smallest_cutoff_of_its_sellers_and_a_second(
    scheduler: Scheduler, arena: Arena
) -> None:
    await restrict(arena, 10)
    await restrict(arena, 3, user_id=arena.sellers[1].id)
    one = await draw(arena, NOON)
    due_at = NOON - timedelta(minutes=3) + timedelta(seconds=1)
    assert await at(scheduler, due_at - timedelta(milliseconds=1)) == 0
    assert await one.changes() == []
    assert await at(scheduler, due_at) == 1
    assert await one.changes() == [("OPEN", "CLOSED")]
    assert await at(scheduler, due_at + timedelta(hours=1)) == 0
    [event] = await arena.owner.fetch("SELECT payload::jsonb AS told FROM outbox WHERE type = 'sorteos.moved'")
    assert '"layer": "scheduler"' in event["told"]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_a_cutoff_that_changes_on_the_way_moves_the_closing(scheduler: Scheduler, arena: Arena) -> None:
    one = await draw(arena, NOON)
    await restrict(arena, 0)
    assert await at(scheduler, NOON - timedelta(seconds=30)) == 0
    await restrict(arena, 5, ventana_id=arena.ventana_id)
    assert await at(scheduler, NOON - timedelta(seconds=29)) == 1
    assert await one.changes() == [("OPEN", "CLOSED")]


async def test_what_was_concluded_from_rules_or_a_time_that_changed_is_left(scheduler: Scheduler, arena: Arena) -> None:
    one = await draw(arena, NOON)
    scheduler.at = NOON - timedelta(seconds=30)
    async with scheduler.database.connection() as connection:
        rows = await connection.fetch("SELECT * FROM upcoming_sorteos('1 hour', 10, $1)", scheduler.at)
    [due] = await scheduler._due(rows)
    await restrict(arena, 0)
    assert await scheduler._act(due) == ("STALE", scheduler.at)
    await arena.owner.execute(
        "UPDATE sorteos SET scheduled_at = $2 WHERE id = $1", one.sorteo_id, NOON + timedelta(hours=1)
    )
    assert await at(scheduler, NOON + timedelta(minutes=1)) == 0
    assert await one.changes() == []


async def test_a_draw_opens_at_its_instant_unless_it_is_switched_off(scheduler: Scheduler, arena: Arena) -> None:
    opens_at = NOON - timedelta(hours=6)
    one, off, never = [
        await draw(arena, NOON + timedelta(minutes=place), status="SCHEDULED", opens_at=opens)
        for place, opens in enumerate((opens_at, opens_at, None))
    ]
    await arena.owner.execute("UPDATE sorteos SET is_active = false WHERE id = $1", off.sorteo_id)
    assert await at(scheduler, opens_at - timedelta(milliseconds=1)) == 0
    assert await at(scheduler, opens_at) == 1
    assert (await one.changes(), await off.changes(), await never.changes()) == ([("SCHEDULED", "OPEN")], [], [])
    await arena.owner.execute("UPDATE sorteos SET is_active = true WHERE id = $1", off.sorteo_id)
    assert await at(scheduler, opens_at + timedelta(hours=1)) == 1
    assert await off.changes() == [("SCHEDULED", "OPEN")]


async def test_what_is_overdue_is_done_late_and_in_its_order(scheduler: Scheduler, arena: Arena) -> None:
    late = await draw(arena, NOON, status="SCHEDULED", opens_at=NOON - timedelta(hours=6))
    long_ago = await draw(arena, NOON - timedelta(days=400))
    off = await draw(arena, NOON - timedelta(days=1))
    await arena.owner.execute("UPDATE sorteos SET is_active = false WHERE id = $1", off.sorteo_id)
    assert [await at(scheduler, NOON + timedelta(days=2)) for _ in range(3)] == [3, 1, 0]
    assert await late.changes() == [("SCHEDULED", "OPEN"), ("OPEN", "CLOSED")]
    assert await long_ago.changes() == await off.changes() == [("OPEN", "CLOSED")]
    assert await findings(arena.owner, arena.banca_id) == []


async def test_two_schedulers_at_once_move_every_draw_of_every_banca_once(make: Make, arena: Arena) -> None:
    other = await Arena.create(arena.owner, arena.settings, sorteos=0)
    draws = [
        await draw(place, NOON + timedelta(milliseconds=number)) for number in range(20) for place in (arena, other)
    ]
    schedulers = [await make() for _ in range(2)]
    for scheduler in schedulers:
        scheduler.at = NOON + timedelta(minutes=1)

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


async def closing_waits(owner: Owner, count: int = 1) -> bool:
    """Whether so many closings wait for a lock."""
    waiting: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%act_on_sorteo%'"
        " AND datname = current_database()"
    )
    return waiting >= count


async def acted(scheduler: Scheduler, one: History) -> list[Any]:
    await scheduler.run_once()
    return await one.changes()


async def test_without_a_lock_that_leads_two_schedulers_still_move_each_draw_once(make: Make, arena: Arena) -> None:
    draws = [await draw(arena, NOON + timedelta(milliseconds=number)) for number in range(20)]
    schedulers = [await make() for _ in range(2)]
    for scheduler in schedulers:
        scheduler.at = NOON + timedelta(minutes=1)
        scheduler.leadership = Usurped(scheduler.database)
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


async def test_a_banca_whose_rules_cannot_be_read_stops_nobody_and_its_draws_close_with_their_draw(
    scheduler: Scheduler, arena: Arena
) -> None:
    broken = await Arena.create(arena.owner, arena.settings, sorteos=0)
    assert isinstance(scheduler.rulebooks, BrokenRules)
    scheduler.rulebooks.broken = broken.banca_id
    bad, good = await draw(broken, NOON), await draw(arena, NOON)
    assert await at(scheduler, NOON - timedelta(seconds=30)) == 1
    assert (await bad.changes(), await good.changes()) == ([], [("OPEN", "CLOSED")])
    assert await at(scheduler, NOON + timedelta(seconds=1)) == 1
    assert await bad.changes() == [("OPEN", "CLOSED")]


async def test_a_draw_that_was_opened_again_closes_again(scheduler: Scheduler, arena: Arena) -> None:
    one = await draw(arena, NOON)
    assert await at(scheduler, NOON) == 1
    async with arena.owner.transaction():
        await arena.owner.execute("SELECT set_config('app.banca_id', $1, true)", str(arena.banca_id))
        await arena.owner.execute(
            "SELECT move_sorteo($1, $2, 'OPEN', NULL, 'too early', NULL)", arena.banca_id, one.sorteo_id
        )
    assert [await at(scheduler, NOON + timedelta(minutes=1)) for _ in range(2)] == [1, 0]
    assert await one.changes() == [("OPEN", "CLOSED"), ("CLOSED", "OPEN"), ("OPEN", "CLOSED")]


async def test_a_look_reads_only_what_is_near(scheduler: Scheduler, arena: Arena) -> None:
    await arena.owner.execute("ANALYZE")
    await arena.owner.execute(
        "INSERT INTO sorteos (banca_id, id, loteria_id, name, status, scheduled_at)"
        " SELECT $1, gen_random_uuid(), $2, 'Far', (ARRAY['OPEN', 'SCHEDULED', 'CLOSED'])[1 + n % 3]::sorteo_status,"
        "        $3::timestamptz + n * interval '1 hour' FROM generate_series(2, 601) n",
        arena.banca_id, arena.loteria_id, NOON,
    )  # fmt: skip
    await draw(arena, NOON)
    before = await reads(arena.owner)
    assert await at(scheduler, NOON - timedelta(minutes=20)) == 0
    # The statistics of a session are sent when it ends.
    await scheduler.leadership.close()
    await scheduler.database.pool.close()
    scans, rows = [now - then for now, then in zip(await reads(arena.owner), before, strict=True)]
    assert scans == 0
    assert rows < 20


async def reads(owner: Owner) -> tuple[int, int]:
    """Of the draws: how often the table was read as a whole, and how many rows indexes found."""
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    row = await owner.fetchrow("SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'sorteos'")
    assert row is not None
    return row["seq_scan"], row["idx_tup_fetch"] or 0
