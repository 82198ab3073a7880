"""What retention cuts off is gone; what it leaves is still proven, and the books know the cut."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.books import check_books
from core.queries import sql
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import open_shop, sold
from tests.till.state import findings
from tests.till.tickets import sale, ticket
from tests.workers.pipeline import Pipeline
from tests.workers.test_chain import record_all
from tests.workers.test_holes import findings as holes
from tests.workers.test_holes import sell

if TYPE_CHECKING:
    from tests.arena import Owner

AGE = timedelta(days=45)
EVENTS = 5


async def trail_of(pipeline: Pipeline) -> tuple[UUID, str]:
    """A banca that sold one draw, in events of two tickets each."""
    banca_id, sorteo_id = await pipeline.banca(), str(uuid4())
    for n in range(EVENTS):
        await sell(pipeline, banca_id, sorteo_id, 2 * n + 1, 2 * n + 2)
    await record_all(pipeline)
    return banca_id, sorteo_id


async def age(owner: Owner, banca_id: UUID, *positions: int) -> None:
    """These links were recorded two months ago, a minute after each other, and their rows happened then."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            "UPDATE audit_chain SET recorded_at = now() - interval '60 days' + position * interval '1 minute'"
            " WHERE banca_id = $1 AND position = ANY ($2::bigint[])",
            banca_id, list(positions),
        )  # fmt: skip


async def trim(pipeline: Pipeline, banca_id: UUID, *, rows: int) -> list[int]:
    """What each call deleted, until there is no more."""
    deleted: list[int] = []
    async with pipeline.database.tenant(banca_id, readonly=False) as connection:
        before = await connection.fetchval("SELECT now()") - AGE
        while True:
            row = await connection.fetchrow(sql("jobs/trim_trail"), banca_id, before, rows)
            assert row is not None
            if not row["is_more"]:
                return deleted
            deleted.append(row["deleted"])


async def rows_left(pipeline: Pipeline, banca_id: UUID) -> int:
    return len(await pipeline.trail(banca_id))


@pytest.mark.parametrize(("rows", "steps"), [(1, [2, 2, 2]), (3, [4, 2]), (100, [6])])
async def test_the_oldest_links_go_whole_and_the_rest_is_proven(
    redis_pipeline: Pipeline, database: TestDatabase, rows: int, steps: list[int]
) -> None:
    pipeline = redis_pipeline
    banca_id, _ = await trail_of(pipeline)
    other_id, _ = await trail_of(pipeline)
    await age(pipeline.owner, banca_id, 1, 2, 3)
    await age(pipeline.owner, other_id, 1, 2, 3)
    assert await trim(pipeline, banca_id, rows=rows) == steps
    report = await pipeline.verify(banca_id)
    assert report.first_break is None
    assert (report.first_position, report.links_count, report.rows_count) == (4, 2, 4)
    assert (await pipeline.verify(other_id)).links_count == EVENTS
    assert await rows_left(pipeline, banca_id) == 4
    books = await check_books(database.owner_url)
    assert [one for one in books.findings if one.check.startswith("audit")] == []
    begins = await pipeline.owner.fetchval(
        "SELECT recorded_at FROM audit_chain WHERE banca_id = $1 AND position = 4", banca_id
    )
    assert books.audit_begins == begins


async def test_a_younger_link_in_front_keeps_those_behind_it(redis_pipeline: Pipeline) -> None:
    banca_id, _ = await trail_of(redis_pipeline)
    await age(redis_pipeline.owner, banca_id, 2, 3)
    assert await trim(redis_pipeline, banca_id, rows=100) == []
    assert await rows_left(redis_pipeline, banca_id) == 2 * EVENTS


async def test_the_newest_link_stays_however_old_and_the_chain_goes_on_from_it(redis_pipeline: Pipeline) -> None:
    pipeline = redis_pipeline
    banca_id, sorteo_id = await trail_of(pipeline)
    await age(pipeline.owner, banca_id, *range(1, EVENTS + 1))
    assert await trim(pipeline, banca_id, rows=100) == [2 * (EVENTS - 1)]
    await sell(pipeline, banca_id, sorteo_id, 2 * EVENTS + 1, 2 * EVENTS + 2)
    await record_all(pipeline)
    report = await pipeline.verify(banca_id)
    assert (report.first_break, report.first_position, report.links_count) == (None, EVENTS, 2)


async def test_what_was_cut_is_no_hole_and_what_is_missing_in_another_trail_is(redis_pipeline: Pipeline) -> None:
    pipeline = redis_pipeline
    banca_id, _ = await trail_of(pipeline)
    other_id, other_sorteo = await trail_of(pipeline)
    await age(pipeline.owner, banca_id, 1, 2, 3)
    await trim(pipeline, banca_id, rows=100)
    assert await holes(pipeline) == []
    async with pipeline.owner.transaction():
        await pipeline.owner.execute("SET LOCAL session_replication_role = replica")
        await pipeline.owner.execute(
            "DELETE FROM activity_log WHERE banca_id = $1 AND details ->> 'sequence' IN ('1', '2')", other_id
        )
    assert await holes(pipeline) == [f"draw {other_sorteo}: the trail has a hole from 1 to 2"]


async def test_nobody_else_deletes_from_the_trail(redis_pipeline: Pipeline) -> None:
    banca_id, _ = await trail_of(redis_pipeline)
    for table in ("activity_log", "audit_chain"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await redis_pipeline.owner.execute(f"DELETE FROM {table} WHERE banca_id = $1", banca_id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            async with redis_pipeline.database.tenant(banca_id, readonly=False) as connection:
                await connection.execute("SELECT set_config('app.retention', 'on', true)")
                await connection.execute(f"DELETE FROM {table} WHERE banca_id = $1", banca_id)


async def trim_keys(database: TestDatabase, banca_id: UUID, *, days: int, keys: int = 2) -> int:
    """By the worker's role; how many went."""
    connection = await asyncpg.connect(database.worker_url)
    try:
        before = await connection.fetchval("SELECT now()") - timedelta(days=days)
        gone, after = 0, (None, None)
        while True:
            row: Any = await connection.fetchrow(sql("jobs/trim_keys"), banca_id, before, *after, keys)
            gone += int(row["deleted"])
            if row["last_key"] is None:
                return gone
            after = row["last_actor"], row["last_key"]
    finally:
        await connection.close()


async def test_old_keys_of_evaluated_draws_go_and_the_books_know(arena: Arena, database: TestDatabase) -> None:
    second = await arena.add_sorteo(minutes=3_000)
    async with open_shop(database.api_url) as shop:
        for sorteo_id in (arena.sorteo_id, arena.sorteo_id, arena.sorteo_id, second):
            sold(await shop.sell(sale(arena.seller, ticket(sorteo_id, ("07", 100)))))
    owner = arena.owner
    async with owner.transaction():
        # Two of the first draw's, and the second draw's, were sold long ago; the first draw is evaluated.
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table in ("tickets", "idempotency"):
            await owner.execute(f"UPDATE {table} SET created_at = now() - interval '100 days' WHERE sequence <= 2")
        await owner.execute("UPDATE sorteos SET status = 'EVALUATED' WHERE id = $1", arena.sorteo_id)
    assert await trim_keys(database, arena.banca_id, days=90) == 2
    left = await owner.fetch("SELECT sorteo_id, sequence FROM idempotency")
    assert {(row["sorteo_id"], row["sequence"]) for row in left} == {(arena.sorteo_id, 3), (second, 1)}
    assert "idempotency" not in {check for check, _ in await findings(owner, arena.banca_id)}
    # A younger one is missed.
    await owner.execute("DELETE FROM idempotency WHERE sorteo_id = $1", arena.sorteo_id)
    assert "idempotency" in {check for check, _ in await findings(owner, arena.banca_id)}


async def test_a_key_goes_when_it_is_older_than_the_cut_and_not_before(arena: Arena, database: TestDatabase) -> None:
    """And of draws that are not evaluated none does."""
    async with open_shop(database.api_url) as shop:
        for _ in range(3):
            sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))))
    owner = arena.owner
    cut = await owner.fetchval("SELECT date_trunc('milliseconds', now()) - interval '40 days'")
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            "UPDATE idempotency SET created_at = $1::timestamptz + (sequence - 2) * interval '1 millisecond'", cut
        )
    trim = "SELECT deleted FROM trim_keys($1, $2, NULL, NULL, 100)"
    assert await owner.fetchval(trim, arena.banca_id, cut) == 0
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("UPDATE sorteos SET status = 'EVALUATED' WHERE id = $1", arena.sorteo_id)
    assert await owner.fetchval(trim, arena.banca_id, cut) == 1
    assert [row["sequence"] for row in await owner.fetch("SELECT sequence FROM idempotency ORDER BY 1")] == [2, 3]


async def test_no_key_goes_before_a_month_is_over(arena: Arena, database: TestDatabase) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await asyncio.wait_for(trim_keys(database, arena.banca_id, days=34), 10)
