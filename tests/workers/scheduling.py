"""What the tests of the scheduler share: schedulers as processes have them, draws, and what became of these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from core.database import Database, create_pool
from core.domain.rulebook import Rulebook
from core.rulebooks import RulebookStore
from tests.arena import Arena
from tests.databases import TestDatabase
from workers.leadership import Leadership
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.arena import Owner

NOON = datetime(2030, 1, 15, 18, 0, tzinfo=UTC)
Make = Callable[..., Awaitable[Scheduler]]


class BrokenRules(RulebookStore):
    """One banca's rules cannot be read."""

    broken: UUID | None = None
    why: Exception = ValueError("not to be read")

    async def rulebook(self, banca_id: UUID) -> Rulebook:
        if banca_id == self.broken:
            raise self.why
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

    async def made(timeout_s: float = 5) -> Scheduler:
        pool = await create_pool(database.worker_url, size=5, timeout_s=timeout_s, application_name="banca-scheduler")
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


async def closing_waits(owner: Owner, count: int = 1) -> bool:
    """Whether so many closings wait for a lock."""
    waiting: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%act_on_sorteo%'"
        " AND datname = current_database()"
    )
    return waiting >= count
