"""What a POS hears when the till is full, or the servers behind it are gone; and that it recovers by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from cli.postgres import EmbeddedPostgres
from cli.valkey import EmbeddedValkey
from core.migrations import migrate
from core.settings import Settings
from tests.api.selling import (
    BALANCE,
    BATCH,
    CANCEL,
    REPLAYED,
    SALE,
    Contract,
    batch,
    read_books,
    require_no_insides,
    sell,
    stored_balance,
    ticket,
)
from tests.arena import Arena
from tests.databases import API_PASSWORD, WORKER_PASSWORD, TestDatabase
from tests.pos import Pos, new_key
from tests.proxy import Proxy
from tests.running_api import Answer, RunningApi, api_settings

WAIT_S = 20.0


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {WAIT_S} s"


@asynccontextmanager
async def draw_held(arena: Arena) -> AsyncIterator[None]:
    """Somebody else has the draw's row: sales of it wait in PostgreSQL."""
    other = await asyncpg.connect(arena.settings.database_url.replace(*as_owner(arena)))
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT FROM sorteos FOR UPDATE")
    try:
        yield
    finally:
        await transaction.rollback()
        await other.close()


def as_owner(arena: Arena) -> tuple[str, str]:
    return "", ""


async def waiting_sales(arena: Arena) -> int:
    count: int = await arena.owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return count
