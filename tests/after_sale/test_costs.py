"""What comes after a sale reads what it is about, whatever the statistics know of the banca and whenever plans were made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from api.routes.tickets import PAGES
from core.queries import sql
from tests.after_sale.desk import Desk, draw, moved, settled
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.evaluating import Evaluator
from tests.reads import analyze_as_if_they_were_anothers, rows_read
from tests.till.shop import Shop, open_shop
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner

TICKETS, WINNERS, BATCH = 800, 20, 200
TABLES = ("tickets", "jugadas", "prizes", "transfers")
# A ticket with its rows, a few times; not the banca's tickets.
READS_MAX = 50
# How often a list looks at all that its draw sold; not once for each of its tickets.
LOOKS_MAX = 8
# PostgreSQL makes five plans before it keeps one.
CALLS_UNTIL_PLANS_STAY = 7


@pytest.fixture
async def shop(database: TestDatabase) -> AsyncIterator[Shop]:
    """One connection, so that its plans are those of all."""
    async with open_shop(database.api_url, pool_size=1) as opened:
        yield opened


@pytest.fixture(params=["made for a banca that no statistics have seen", "made on empty tables"])
async def ids(request: pytest.FixtureRequest, arena: Arena, desk: Desk, owner: Owner) -> list[UUID]:
    """Of a draw's tickets, whose plans are as the parameter says; the first won with 07."""
    if request.param == "made on empty tables":
        await owner.execute("ANALYZE")
        async with desk.shop.pool.acquire() as connection:
            # But for functions that say otherwise: what is asked directly is planned anew.
            await connection.execute("SET plan_cache_mode = force_custom_plan")
        await make_plans(arena, desk)
        return await fill(arena, desk.shop)
    found = await fill(arena, desk.shop)
    await analyze_as_if_they_were_anothers(arena)
    return found


async def fill(arena: Arena, shop: Shop) -> list[UUID]:
    ids: list[UUID] = []
    for start in range(0, TICKETS, BATCH):
        numbers = ["07" if start + n < WINNERS else "15" for n in range(BATCH)]
        orders = [await shop.order(sale(arena.seller, ticket(arena.sorteo_id, (each, 100)))) for each in numbers]
        await shop.recorder.record(arena.banca_id, orders)
        ids += [order.ticket_id for order in orders]
    return ids


async def make_plans(arena: Arena, desk: Desk) -> None:
    """Of what is kept by a function, on a draw of its own."""
    sorteo_id = await arena.add_sorteo(minutes=25 * 60)
    day = await day_of(arena, sorteo_id)
    lone = await desk.sell(sorteo_id=sorteo_id)
    for _ in range(CALLS_UNTIL_PLANS_STAY):
        await desk.shop.cancel(arena.seller, ticket_id=lone)
        await desk.restore(lone)
        await desk.pay(lone, 1)
        moved(await desk.exclude(sorteo_id=sorteo_id))
        moved(await desk.include(sorteo_id=sorteo_id))
        await read(arena, desk.shop, "tickets/sold", [day], [sorteo_id], [1])


async def day_of(arena: Arena, sorteo_id: UUID) -> date:
    day: date = await arena.owner.fetchval("SELECT business_date FROM sorteos WHERE id = $1", sorteo_id)
    return day


async def read(arena: Arena, shop: Shop, name: str, *arguments: Any) -> list[Any]:
    async with shop.database.tenant(arena.banca_id) as connection:
        return await connection.fetch(sql(name), arena.banca_id, *arguments)


async def counted(shop: Shop, owner: Owner, action: Callable[[], Awaitable[Any]]) -> tuple[Any, int]:
    """What it gives, and how many rows it reads of the table of which it reads most."""
    before = await reads(shop, owner)
    answer = await action()
    after = await reads(shop, owner)
    return answer, max(after[table] - before[table] for table in TABLES)


async def reads(shop: Shop, owner: Owner) -> dict[str, int]:
    async with shop.pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        # Told between two statements.
        await connection.execute("SELECT 1")
    return {table: await rows_read(owner, table) for table in TABLES}


async def test_what_is_about_one_ticket_reads_no_other(arena: Arena, desk: Desk, owner: Owner, ids: list[UUID]) -> None:
    shop, day = desk.shop, await day_of(arena, arena.sorteo_id)
    key = await owner.fetchval(
        "SELECT key FROM idempotency WHERE sorteo_id = $1 AND sequence = 300 AND outcome = 'SOLD'", arena.sorteo_id
    )
    place = ([day], [arena.sorteo_id], [200])
    person = (arena.seller.id, arena.seller.terminal.id)
    actions: dict[str, Callable[[], Awaitable[Any]]] = {
        "cancel": partial(shop.cancel, arena.seller, ticket_id=ids[500]),
        "restore": partial(desk.restore, ids[500]),
        "cancel by the sale's key": partial(shop.cancel, arena.seller, sale_key=key),
        "sold": partial(read, arena, shop, "tickets/sold", *place),
        "standings": partial(read, arena, shop, "tickets/standings", *place),
        "by id": partial(read, arena, shop, "tickets/by_id", ids[200], day),
        "by number": partial(read, arena, shop, "tickets/by_number", day, 1, 200),
        "its seller": partial(read, arena, shop, "tickets/vendedor", ids[200], day, *person, ""),
        "its seller by key": partial(read, arena, shop, "tickets/vendedor", uuid4(), day, *person, key),
    }
    for name, action in actions.items():
        answer, rows = await counted(shop, owner, action)
        assert answer, name
        assert rows <= READS_MAX, name


async def test_what_is_paid_reads_one_ticket_and_what_won_reads_the_winners(
    arena: Arena, desk: Desk, owner: Owner, evaluator: Evaluator, ids: list[UUID]
) -> None:
    shop, day = desk.shop, await day_of(arena, arena.sorteo_id)
    await draw(arena, evaluator, "07")
    for action in (
        partial(desk.pay, ids[3], 100),
        partial(desk.finalize, ids[3]),
        partial(desk.reverse, ids[3]),
        partial(desk.pay, ids[4], 9_000),
    ):
        answer, rows = await counted(shop, owner, action)
        settled(answer)
        assert rows <= READS_MAX
    won = (day, arena.sorteo_id, 1, None, None)
    winners, rows = await counted(shop, owner, partial(read, arena, shop, "results/winners", *won, None, 100, 0))
    assert (len(winners), rows <= 4 * WINNERS) == (WINNERS, True), rows
    [total], rows = await counted(shop, owner, partial(read, arena, shop, "results/winners_total", *won))
    assert (total["tickets"], rows <= 4 * WINNERS) == (WINNERS, True), rows


async def test_a_list_reads_its_draw_a_few_times(arena: Arena, desk: Desk, owner: Owner, ids: list[UUID]) -> None:
    for action in (desk.exclude, desk.include):
        answer, rows = await counted(desk.shop, owner, action)
        assert moved(answer).facts["tickets"] == len(ids)
        assert rows <= LOOKS_MAX * len(ids)


async def test_few_tickets_are_not_looked_for_among_all(
    arena: Arena, desk: Desk, owner: Owner, evaluator: Evaluator
) -> None:
    shop = desk.shop
    await desk.sell(seller=arena.sellers[1])
    ids = await fill(arena, shop)
    await shop.cancel(arena.seller, ticket_id=ids[0])
    moved(await desk.exclude(vendedor_id=arena.sellers[1].id))
    await draw(arena, evaluator, "07")
    settled(await desk.pay(ids[1], 9_000))
    settled(await desk.pay(ids[2], 1))
    await analyze_as_if_they_were_anothers(arena)
    for status, count in (("CANCELLED", 1), ("EXCLUDED", 1), ("PAID", 1), ("ACTIVE", 0), (None, 20)):
        page, rows = await counted(shop, owner, partial(list_page, arena, shop, status))
        assert (len(page), rows <= READS_MAX * max(count, 1)) == (count, True), (status, rows)


async def list_page(arena: Arena, shop: Shop, status: str | None) -> list[Any]:
    name = PAGES.get(status or "", "tickets/page")
    return await read(arena, shop, name, None, None, None, status, None, None, 0, 20)
