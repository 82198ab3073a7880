"""What a batch costs: one statement on the wire, and no table read as a whole, whatever was planned on empty ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg

from core.queries import sql
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, answer_bytes, open_shop, sold
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

HOT_TABLES = ("tickets", "jugadas", "transfers", "idempotency", "exposure", "accounts", "terminals", "sorteos")
BATCHES, BATCH_TICKETS = 20, 100
OTHER_DRAWS = 40


async def test_a_fresh_batch_is_one_statement_on_the_wire(arena: Arena, shop: Shop):
    requests = [sale(seller, ticket(arena.sorteo_id, ("07", 100), ("08", 100))) for seller in arena.sellers]
    await shop.record(requests)
    statements: list[str] = []

    def listen(record: Any) -> None:
        statements.append(record.query)

    # Every connection of the pool, held at once so that each gets its listener.
    connections = [await shop.pool.acquire() for _ in range(shop.pool.get_max_size())]
    for connection in connections:
        connection.add_query_logger(listen)
    for connection in connections:
        await shop.pool.release(connection)
    orders = [await shop.order(sale(seller, ticket(arena.sorteo_id))) for seller in arena.sellers]
    statements.clear()
    await shop.recorder.record(arena.banca_id, orders)
    assert [statement == sql("tickets/sell") for statement in statements] == [True]


async def test_plans_made_on_empty_analysed_tables_stay_good_under_load(
    owner: Owner, arena: Arena, database: TestDatabase
):
    await owner.execute("ANALYZE")
    for place in range(OTHER_DRAWS):
        await arena.add_sorteo(minutes=3_000 + place)
    async with open_shop(database.api_url, pool_size=1) as shop:
        before = await reads(owner)
        for _ in range(BATCHES):
            await shop.record([sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
    # The statistics of a session are sent when it ends.
    after = await reads(owner)
    tickets = BATCHES * BATCH_TICKETS
    assert await owner.fetchval("SELECT count(*) FROM tickets") == tickets
    assert_nothing_scanned(before, after)
    # Locked once and updated once, whatever else the banca draws.
    assert after["sorteos"][1] - before["sorteos"][1] <= BATCHES * 3 + BATCHES
    # A plan that reads a tenant's whole index range per batch reads quadratically more rows than it sells.
    fetched = {table: after[table][1] - before[table][1] for table in ("idempotency", "tickets", "jugadas")}
    assert max(fetched.values()) <= 3 * tickets, fetched


def assert_nothing_scanned(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> None:
    sequential = {table: after[table][0] - before[table][0] for table in HOT_TABLES}
    # The draw itself is read once for its price, however many sell it at that moment.
    assert sequential.pop("sorteos") <= 1
    assert set(sequential.values()) == {0}


async def reads(owner: Owner) -> dict[str, tuple[int, int]]:
    """Per table (partitions summed): sequential scans, rows fetched by indexes."""
    # What this connection did itself is told first.
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    found = {}
    for table in HOT_TABLES:
        row = await owner.fetchrow(
            "SELECT coalesce(sum(seq_scan), 0)::bigint AS scans, coalesce(sum(idx_tup_fetch), 0)::bigint AS rows"
            " FROM pg_stat_user_tables WHERE relname = $1 OR relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$')",
            table,
        )
        assert row is not None
        found[table] = (row["scans"], row["rows"])
    return found


async def test_replays_at_once_read_their_own_rows_only(owner: Owner, arena: Arena, database: TestDatabase):
    await owner.execute("ANALYZE")
    async with open_shop(database.api_url) as shop:
        requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)]
        for _ in range(3):
            await shop.record([sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
        first = await asyncio.gather(*map(shop.sell, requests))
    before = await reads(owner)
    async with open_shop(database.api_url, pool_size=1) as shop:
        again = await asyncio.gather(*map(shop.sell, requests))
    after = await reads(owner)
    assert [answer_bytes(sold(answer)) for answer in again] == [answer_bytes(sold(answer)) for answer in first]
    assert_nothing_scanned(before, after)
    assert after["tickets"][1] - before["tickets"][1] == BATCH_TICKETS
    assert after["jugadas"][1] - before["jugadas"][1] == BATCH_TICKETS


async def test_the_reads_of_tickets_keep_their_indexes(owner: Owner, arena: Arena, shop: Shop):
    for _ in range(3):
        await shop.record([sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
    await owner.execute("ANALYZE")
    day = await owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", arena.sorteo_id)
    for name, arguments, index in [
        ("tickets/by_id", (arena.banca_id, uuid4(), day), "tickets_"),
        ("tickets/by_number", (arena.banca_id, day, 1, 7), "tickets_"),
    ]:
        plan = await explained(owner, name, arguments)
        assert "Seq Scan on tickets" not in plan, plan
        assert "Seq Scan on jugadas" not in plan, plan
        assert index in plan


async def explained(owner: asyncpg.Connection[asyncpg.Record], name: str, arguments: tuple[Any, ...]) -> str:
    # Small tables tempt the planner to scan them; what is asked is whether an index can serve.
    await owner.execute("SET enable_seqscan = off")
    try:
        rows = await owner.fetch(f"EXPLAIN {sql(name)}", *arguments)
    finally:
        await owner.execute("RESET enable_seqscan")
    return "\n".join(row[0] for row in rows)
