"""The queue in front of the database: full, left by its callers, closed, cut into batches; and what it tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.till.cancels import Cancelled
from core.till.sales import SaleRequest
from core.till.till import TillClosedError, TillFullError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.pos import new_key
from tests.till.locks import hold_draw, waiting
from tests.till.shop import Shop, open_shop, orders_of, replayed, sold
from tests.till.state import tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_a_full_till_refuses_what_does_not_fit_and_writes_none_of_it(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Owner
):
    async with open_shop(database.api_url, queue_tickets_max=5) as shop:
        transaction = await hold_draw(intruder, arena.sorteo_id)
        orders = await orders_of(arena, shop, 12)
        selling = asyncio.create_task(shop.till.submit_all(orders[:4]))
        await waiting(owner)
        # Together or not at all: two do not fit where one would.
        assert [type(answer) for answer in await shop.till.submit_all(orders[4:6])] == [TillFullError] * 2
        fits = asyncio.create_task(shop.till.submit_all(orders[6:7]))
        await asyncio.sleep(0)
        assert [type(answer) for answer in await shop.till.submit_all(orders[7:8])] == [TillFullError]
        await transaction.rollback()
        await asyncio.gather(selling, fits)
        assert await tickets_count(owner) == 5
        await shop.till.submit_all(orders[8:12])
    assert await tickets_count(owner) == 9, "an emptied till takes more"


async def test_a_seller_who_hangs_up_gets_the_ticket_recorded_all_the_same(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    request, late = (sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(2))
    await shop.rulebooks.rulebook(arena.banca_id)
    transaction = await hold_draw(intruder, arena.sorteo_id)
    selling = asyncio.create_task(shop.sell(request))
    await waiting(owner)
    # One in flight, one still in the queue.
    order = await shop.order(late)
    queueing = asyncio.create_task(shop.till.submit_all([order]))
    await asyncio.sleep(0)
    for task in (selling, queueing):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await transaction.rollback()
    answers = await shop.counter.sell_all([request, late])
    assert [replayed(answer) for answer in answers] == [True, True]
    assert await tickets_count(owner) == 2


async def test_a_cancel_whose_caller_hangs_up_is_done_all_the_same(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    record, key = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))), new_key()
    transaction = await hold_draw(intruder, arena.sorteo_id)
    cancelling = asyncio.create_task(shop.cancel(arena.seller, ticket_id=record.id, key=key))
    await waiting(owner)
    cancelling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelling
    await transaction.rollback()
    answer = await shop.cancel(arena.seller, ticket_id=record.id, key=key)
    assert isinstance(answer, Cancelled)
    assert answer.replayed


async def test_closing_the_till_answers_all_that_waits_and_takes_nothing_more(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Owner
):
    async with open_shop(database.api_url, batch_tickets_max=4) as shop:
        orders = await orders_of(arena, shop, 10)
        transaction = await hold_draw(intruder, arena.sorteo_id)
        selling = asyncio.create_task(shop.till.submit_all(orders))
        await waiting(owner)
        closing = asyncio.create_task(shop.till.close())
        await asyncio.sleep(0)
        late = await shop.till.submit_all(await orders_of(arena, shop, 1))
        assert [type(answer) for answer in late] == [TillClosedError]
        await transaction.rollback()
        await closing
        assert selling.done() or await selling
        assert await tickets_count(owner) == 10
    with pytest.raises(TillClosedError):
        await shop.sell(sale(arena.seller, ticket(arena.sorteo_id)))


async def test_the_readers_of_balances_hear_of_the_newest_one(owner: Owner, arena: Arena, shop: Shop):
    requests = [sale(seller, ticket(arena.sorteo_id)) for seller in arena.sellers for _ in range(2)]
    records = [sold(answer) for answer in await shop.counter.sell_all(requests)]
    assert sorted(shop.balances) == sorted((seller.id, -200, 1) for seller in arena.sellers)
    await shop.cancel(arena.seller, ticket_id=records[0].id)
    assert shop.balances[-1] == (arena.seller.id, -100, 2)
    stored = await owner.fetchrow("SELECT balance_cents, balance_version FROM accounts WHERE id = $1", arena.seller.id)
    assert stored is not None
    assert tuple(stored) == (-100, 2)


async def test_a_batch_is_bounded_by_tickets_and_by_jugadas(owner: Owner, arena: Arena, database: TestDatabase):
    async with open_shop(database.api_url, batch_tickets_max=5, batch_jugadas_max=8) as shop:
        lines = [("07", 1)] * 3
        requests: list[SaleRequest] = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(7)]
        requests += [sale(arena.seller, ticket(arena.sorteo_id, *lines)) for _ in range(5)]
        requests += [sale(arena.seller, ticket(arena.sorteo_id, *(lines * 4)))]
        await shop.counter.sell_all(requests)
    rows = await owner.fetch("SELECT count(*) AS n FROM tickets GROUP BY event_id ORDER BY event_id")
    assert [row["n"] for row in rows] == [5, 4, 2, 1, 1]
