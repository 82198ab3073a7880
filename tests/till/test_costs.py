"""What a batch costs: one statement on the wire, and no table read as a whole, whatever was planned on empty ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.queries import sql
from core.till.batch import batch_arguments
from core.till.outcomes import Verdict
from core.till.sales import SaleRequest
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.plans import Explainer, explainer
from tests.till.shop import Shop, open_shop, sold
from tests.till.state import poll
from tests.till.tickets import actor_of, sale, ticket
from tests.till.wire import WireTap

if TYPE_CHECKING:
    from tests.arena import Owner

# Table → columns that find one row of it. banca_id alone finds a tenant's all.
LOOKED_UP = {
    "sorteos": ("id",),
    "accounts": ("banca_id", "id"),
    "idempotency": ("banca_id", "actor_id", "key"),
    "exposure": ("banca_id", "sorteo_id", "scope_id", "multiplier_key", "number"),
    "terminals": ("id",),
    "sessions": ("id",),
    "users": ("id",),
}
# The first reading of a rulebook and a draw, once per process, may scan what is small.
SALE_TABLES = ("tickets", "jugadas", "transfers", "idempotency", "exposure", "accounts", "terminals", "sessions")
# The house's four accounts of a banca, and nobody else's.
HOUSE_INDEX = "accounts_one_of_the_house"
# One row for ever, read only when a test names the time.
SINGLE_ROW = "instance"
BATCHES, BATCH_TICKETS = 20, 100


@pytest.mark.parametrize("tickets", [1, 100])
async def test_a_fresh_batch_is_one_statement_and_one_round_trip(arena: Arena, database: TestDatabase, tickets: int):
    async with WireTap(database.api_url) as tap, open_shop(tap.url, pool_size=1) as shop:
        requests = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id, ("07", 1), ("08", 1))) for n in range(tickets)]
        orders = [await shop.order(request) for request in requests]
        # Connected by then, and prepared with an empty batch.
        tap.sent.clear()
        answers = await shop.till.submit_all(orders)
        assert not [answer for answer in answers if isinstance(answer, BaseException)]
        assert tap.sent == {"B": 1, "E": 1, "S": 1}


async def test_the_tap_sees_what_a_transaction_around_a_batch_would_cost(arena: Arena, database: TestDatabase):
    async with WireTap(database.api_url) as tap, open_shop(tap.url, pool_size=1) as shop:
        order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
        tap.sent.clear()
        async with shop.pool.acquire() as connection, connection.transaction():
            await connection.fetch(sql("tickets/sell"), arena.banca_id, *batch_arguments([order]), None)
        assert tap.sent == {"Q": 2, "B": 1, "E": 1, "S": 1}


async def crowded(owner: Owner, arena: Arena, shop: Shop) -> list[SaleRequest]:
    """A batch that takes the exact path: a cap that holds some of it, a seller whose credit holds some of it."""
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 1_000 WHERE id = $1", arena.banca_id)
    await owner.execute("UPDATE accounts SET credit_limit_cents = 900 WHERE id = $1", arena.seller.id)
    await shop.rulebooks.reload(arena.banca_id, older_than=None)
    bets = [("07", 300), ("08", 90), ("09", 2_000)]
    return [sale(arena.sellers[n % 2], ticket(arena.sorteo_id, bets[n % 3])) for n in range(30)]


async def explain_sale(explained: Explainer, shop: Shop, requests: list[SaleRequest]) -> list[asyncpg.Record]:
    orders = [await shop.order(request) for request in requests]
    banca_id = orders[0].actor.banca_id
    return await explained.connection.fetch(sql("tickets/sell"), banca_id, *batch_arguments(orders), None)


async def explain_cancel(
    explained: Explainer, arena: Arena, *, ticket_id: UUID | None = None, sale_key: str | None = None
) -> str:
    actor = actor_of(arena.seller)
    version = await explained.connection.fetchval(
        "SELECT rulebook_version FROM bancas WHERE id = $1", arena.banca_id
    )
    explained.scans.clear()
    row = await explained.connection.fetchrow(
        sql("tickets/cancel"), arena.banca_id, actor.user_id, actor.session_id, actor.terminal_id, actor.key_version,
        f"cancel-{uuid4()}", bytes(32), ticket_id, sale_key, "test", version, 60, None,
    )  # fmt: skip
    assert row is not None
    outcome: str = row["outcome"]
    return outcome


def assert_no_table_is_scanned(explained: Explainer) -> None:
    assert [scan for scan in explained.scans if scan.node == "Seq Scan" and scan.table != SINGLE_ROW] == []


def assert_by_whole_keys(explained: Explainer) -> None:
    """Not one table is read as a whole, and none by a part of the key that it is looked up by."""
    assert_no_table_is_scanned(explained)
    for table, columns in LOOKED_UP.items():
        for scan in explained.of(table):
            if scan.index != HOUSE_INDEX:
                assert not [column for column in columns if f"({column} " not in scan.condition], scan


@pytest.mark.parametrize("is_empty", [True, False], ids=["on empty analysed tables", "after a thousand tickets"])
async def test_every_statement_of_a_sale_finds_its_rows_by_whole_keys(
    owner: Owner, arena: Arena, shop: Shop, database: TestDatabase, is_empty: bool
):
    if not is_empty:
        for _ in range(10):
            await shop.record([sale(arena.sellers[1], ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
    await owner.execute("ANALYZE")
    requests = await crowded(owner, arena, shop)
    async with explainer(database.owner_url) as explained:
        await explained.connection.fetch(sql("tickets/sell"), arena.banca_id, *batch_arguments([]), None)
        explained.scans.clear()
        rows = await explain_sale(explained, shop, requests)
        if is_empty:
            assert {row["outcome"] for row in rows} == {Verdict.SOLD, Verdict.SOLD_OUT, Verdict.NO_FUNDS}
        assert set(LOOKED_UP) <= {scan.table for scan in explained.scans}
        assert_by_whole_keys(explained)
        # The same again: every key is known.
        explained.scans.clear()
        again = await explain_sale(explained, shop, requests)
        assert {row["outcome"] for row in again} == {Verdict.KNOWN}
        assert_by_whole_keys(explained)


async def test_every_statement_of_a_cancel_finds_its_rows_by_an_index(
    owner: Owner, arena: Arena, shop: Shop, database: TestDatabase
):
    await owner.execute("ANALYZE")
    requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(3)]
    records = [sold(answer) for answer in await shop.counter.sell_all(requests)]
    async with explainer(database.owner_url) as explained:
        outcomes = []
        for place in (
            {"ticket_id": records[0].id}, {"sale_key": requests[1].key}, {"sale_key": "no-such-key"},
            {"ticket_id": records[0].id},
        ):  # fmt: skip
            outcomes.append(await explain_cancel(explained, arena, **place))  # type: ignore[arg-type] # one of the two
            assert explained.of("idempotency"), "what was read was explained"
            assert_no_table_is_scanned(explained)
    assert outcomes == ["CANCELLED", "CANCELLED", "CANCELLED_UNSOLD", "CANCEL_REFUSED"]


async def test_plans_made_on_empty_analysed_tables_stay_good_under_load(
    owner: Owner, arena: Arena, database: TestDatabase
):
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = 1_000_000")
    await owner.execute("ANALYZE")
    before = await reads(owner)
    async with open_shop(database.api_url, pool_size=1) as shop:
        for _ in range(BATCHES):
            await shop.record([sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
    after = await reads(owner)
    tickets = BATCHES * BATCH_TICKETS
    assert await owner.fetchval("SELECT count(*) FROM tickets") == tickets
    sequential = {table: after[table]["seq"] - before[table]["seq"] for table in SALE_TABLES}
    assert sequential == dict.fromkeys(SALE_TABLES, 0)
    by_index = {table: after[table]["index"] - before[table]["index"] for table in ("idempotency", "exposure")}
    assert min(by_index.values()) >= tickets, "the session's statistics have arrived"
    # A plan that reads a tenant's whole index range per batch reads quadratically more rows than it sells.
    fetched = {table: after[table]["rows"] - before[table]["rows"] for table in ("idempotency", "tickets", "jugadas")}
    assert max(fetched.values()) <= 3 * tickets, fetched


async def reads(owner: Owner) -> dict[str, dict[str, int]]:
    """Per table (partitions summed): sequential scans, index scans, rows fetched by those; shops have closed."""
    await poll(lambda: has_no_busy_shop(owner))
    await owner.execute("SELECT pg_stat_force_next_flush()")
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    found = {}
    for table in SALE_TABLES:
        row = await owner.fetchrow(
            "SELECT coalesce(sum(seq_scan), 0)::bigint AS seq, coalesce(sum(idx_scan), 0)::bigint AS index,"
            " coalesce(sum(idx_tup_fetch), 0)::bigint AS rows"
            " FROM pg_stat_user_tables WHERE relname = $1 OR relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$')",
            table,
        )
        assert row is not None
        found[table] = dict(row)
    return found


async def has_no_busy_shop(owner: Owner) -> bool:
    """A session sends its statistics when it ends, which is a moment after its client closed it."""
    count: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'shop'"
    )
    return count == 0


async def test_the_reads_of_tickets_keep_their_indexes(owner: Owner, arena: Arena, shop: Shop):
    for _ in range(3):
        await shop.record([sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(BATCH_TICKETS)])
    await owner.execute("ANALYZE")
    day = await owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", arena.sorteo_id)
    for name, arguments, index in [
        ("tickets/sold", (arena.banca_id, [day], [arena.sorteo_id], [7]), "jugadas_"),
        ("tickets/by_id", (arena.banca_id, uuid4(), day), "tickets_"),
        ("tickets/by_number", (arena.banca_id, day, 1, 7), "tickets_"),
    ]:
        plan = await explained_read(owner, name, arguments)
        assert "Seq Scan on tickets" not in plan, plan
        assert "Seq Scan on jugadas" not in plan, plan
        assert index in plan


async def explained_read(owner: Owner, name: str, arguments: tuple[Any, ...]) -> str:
    # Small tables tempt the planner to scan them; what is asked is whether an index can serve.
    await owner.execute("SET enable_seqscan = off")
    try:
        rows = await owner.fetch(f"EXPLAIN {sql(name)}", *arguments)
    finally:
        await owner.execute("RESET enable_seqscan")
    return "\n".join(row[0] for row in rows)
