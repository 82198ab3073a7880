"""What nobody may do to a database, done as its superuser; and undone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
Mutation = Callable[["Connection", UUID], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def ticket_deleted(owner: Connection, ticket_id: UUID) -> AsyncIterator[None]:
    async with moved_away(owner, "tickets", "id = $1", ticket_id):
        yield


@asynccontextmanager
async def byte_changed(owner: Connection, ticket_id: UUID) -> AsyncIterator[None]:
    """Of what the ticket's answer says, and of nothing that the books count."""
    change = "UPDATE tickets SET cliente_nombre = $2 WHERE id = $1"
    name = await owner.fetchval("SELECT cliente_nombre FROM tickets WHERE id = $1", ticket_id)
    await owner.execute(change, ticket_id, name.swapcase())
    yield
    await owner.execute(change, ticket_id, name)


@asynccontextmanager
async def ticket_added(owner: Connection, ticket_id: UUID) -> AsyncIterator[None]:
    """One more of the same draw and seller, lines and all, that nobody asked for."""
    [place] = await owner.fetch("SELECT sorteo_id, sequence FROM tickets WHERE id = $1", ticket_id)
    draw, sequence = place["sorteo_id"], place["sequence"]
    last = await owner.fetchval("SELECT max(sequence) FROM tickets WHERE sorteo_id = $1", draw)
    for table in ("tickets", "jugadas"):
        await owner.execute(
            f"CREATE TEMPORARY TABLE added AS SELECT * FROM {table} WHERE sorteo_id = $1 AND sequence = $2",
            draw,
            sequence,
        )
        await owner.execute("UPDATE added SET sequence = $1", last + 1)
        if table == "tickets":
            await owner.execute("UPDATE added SET id = $1", uuid4())
        await owner.execute(f"INSERT INTO {table} SELECT * FROM added")
        await owner.execute("DROP TABLE added")
    yield
    for table in ("tickets", "jugadas"):
        await owner.execute(f"DELETE FROM {table} WHERE sorteo_id = $1 AND sequence > $2", draw, last)


@asynccontextmanager
async def event_lost(owner: Connection, ticket_id: UUID) -> AsyncIterator[None]:
    """As if neither outbox nor audit had ever heard of it."""
    event_id = await owner.fetchval("SELECT event_id FROM tickets WHERE id = $1", ticket_id)
    async with (
        moved_away(owner, "outbox", "id = $1", event_id),
        moved_away(owner, "inbox", "event_id = $1", event_id),
        moved_away(owner, "activity_log", "event_id = $1", event_id),
        moved_away(owner, "audit_chain", "event_id = $1", event_id),
    ):
        yield


@asynccontextmanager
async def moved_away(owner: Connection, table: str, condition: str, argument: object) -> AsyncIterator[None]:
    await owner.execute(f"CREATE TEMPORARY TABLE away_{table} AS SELECT * FROM {table} WHERE {condition}", argument)
    assert await owner.fetchval(f"SELECT count(*) FROM away_{table}") > 0
    await owner.execute(f"DELETE FROM {table} WHERE {condition}", argument)
    yield
    await owner.execute(f"INSERT INTO {table} SELECT * FROM away_{table}")
    await owner.execute(f"DROP TABLE away_{table}")


# What is done, and which checks must say so; others may, too.
MUTATIONS: Mapping[str, tuple[Mutation, frozenset[str]]] = MappingProxyType(
    {
        "ticket_deleted": (ticket_deleted, frozenset({"sales_stored", "sequences", "answers"})),
        "byte_changed": (byte_changed, frozenset({"answers"})),
        "ticket_added": (ticket_added, frozenset({"nothing_else", "idempotency"})),
        "event_lost": (event_lost, frozenset({"events_audited", "audit_sequences", "audit_chain"})),
    }
)
