"""Draws open and close by themselves: when, by whom, and only once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.arena import Arena
from tests.till.state import findings
from tests.workers.scheduling import NOON, at, draw, make, restrict, scheduler
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.arena import Owner

__all__ = ["make", "scheduler"]


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


async def test_a_draw_whose_opening_was_put_off_meanwhile_stays_shut(scheduler: Scheduler, arena: Arena) -> None:
    one = await draw(arena, NOON, status="SCHEDULED", opens_at=NOON - timedelta(hours=6))
    scheduler.at = NOON - timedelta(hours=6)
    async with scheduler.database.connection() as connection:
        rows = await connection.fetch("SELECT * FROM upcoming_sorteos('1 hour', 10, $1)", scheduler.at)
    [due] = await scheduler._due(rows)
    for opens_at in (NOON - timedelta(hours=2), None):
        await arena.owner.execute("UPDATE sorteos SET opens_at = $2 WHERE id = $1", one.sorteo_id, opens_at)
        assert await scheduler._act(due) == ("STALE", scheduler.at)
    assert await one.changes() == []


async def test_what_is_overdue_is_done_late_and_in_its_order(scheduler: Scheduler, arena: Arena) -> None:
    late = await draw(arena, NOON, status="SCHEDULED", opens_at=NOON - timedelta(hours=6))
    long_ago = await draw(arena, NOON - timedelta(days=400))
    off = await draw(arena, NOON - timedelta(days=1))
    await arena.owner.execute("UPDATE sorteos SET is_active = false WHERE id = $1", off.sorteo_id)
    assert [await at(scheduler, NOON + timedelta(days=2)) for _ in range(3)] == [3, 1, 0]
    assert await late.changes() == [("SCHEDULED", "OPEN"), ("OPEN", "CLOSED")]
    assert await long_ago.changes() == await off.changes() == [("OPEN", "CLOSED")]
    assert await findings(arena.owner, arena.banca_id) == []


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
