"""A database that is lost on the way or not reached at all: every key gets its definite answer later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core.database import DatabaseUnavailableError, OutcomeUnknownError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.proxy import Proxy
from tests.till.locks import hold_draw, waiting
from tests.till.shop import Shop, answer_bytes, open_shop, replayed, sold
from tests.till.state import findings, poll, tickets_count
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_a_connection_killed_during_the_call_leaves_definite_answers_to_the_same_keys(
    owner: Owner, arena: Arena, shop: Shop, intruder: Owner
):
    requests = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id)) for n in range(6)]
    transaction = await hold_draw(intruder, arena.sorteo_id)
    selling = asyncio.create_task(shop.counter.sell_all(requests))
    [pid] = await waiting(owner)
    await owner.execute("SELECT pg_terminate_backend($1)", pid)
    assert [type(answer) for answer in await selling] == [OutcomeUnknownError] * 6
    await transaction.rollback()
    answers = await shop.counter.sell_all(requests)
    assert [sold(answer).sequence for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert await findings(owner, arena.banca_id) == []


async def test_an_answer_lost_after_the_commit_is_found_again_by_its_keys(
    owner: Owner, arena: Arena, database: TestDatabase, shop: Shop, intruder: Owner
):
    requests = [sale(arena.sellers[n % 2], ticket(arena.sorteo_id)) for n in range(6)]
    transaction = await hold_draw(intruder, arena.sorteo_id)
    async with Proxy(database.api_url) as proxy, open_shop(proxy.url) as cut_off:
        selling = asyncio.create_task(cut_off.counter.sell_all(requests))
        await waiting(owner)
        proxy.freeze()
        await transaction.rollback()
        await poll(lambda: tickets_count(owner))
        await proxy.cut()
        assert [type(answer) for answer in await selling] == [OutcomeUnknownError] * 6
        answers = await shop.counter.sell_all(requests)
        assert [(sold(answer).sequence, replayed(answer)) for answer in answers] == [(n, True) for n in range(1, 7)]
        await proxy.mend()
        again = await cut_off.counter.sell_all(requests)
        assert [answer_bytes(sold(one)) for one in again] == [answer_bytes(sold(one)) for one in answers]
    assert await tickets_count(owner) == 6
    assert await findings(owner, arena.banca_id) == []


async def test_a_call_that_takes_too_long_leaves_definite_answers_to_the_same_keys(
    owner: Owner, arena: Arena, database: TestDatabase, intruder: Owner
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    async with open_shop(database.api_url, timeout_s=0.2) as shop:
        await shop.rulebooks.rulebook(arena.banca_id)
        transaction = await hold_draw(intruder, arena.sorteo_id)
        with pytest.raises(OutcomeUnknownError):
            await shop.sell(request)
        await transaction.rollback()
        assert sold(await shop.sell(request)).sequence == 1
    assert await tickets_count(owner) == 1


async def test_a_database_that_cannot_be_reached_is_unavailable_and_serves_again_when_it_can(
    owner: Owner, arena: Arena, database: TestDatabase
):
    async with Proxy(database.api_url) as proxy, open_shop(proxy.url) as shop:
        requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(3)]
        orders = [await shop.order(request) for request in requests]
        await proxy.cut()
        # A call on a connection whose end was not noticed yet would be of unknown outcome, and rightly so.
        await poll(no_connections_of(shop))
        answers = await shop.till.submit_all(orders)
        assert [type(answer) for answer in answers] == [DatabaseUnavailableError] * 3
        with pytest.raises(DatabaseUnavailableError):
            await shop.cancel(arena.seller, sale_key=requests[0].key)
        await proxy.mend()
        assert [sold(answer).sequence for answer in await shop.counter.sell_all(requests)] == [1, 2, 3]


def no_connections_of(shop: Shop) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return shop.pool.get_size() == 0

    return check


@pytest.mark.parametrize("wrong", ["port", "password", "database"])
async def test_a_pool_that_cannot_connect_is_unavailable(arena: Arena, shop: Shop, database: TestDatabase, wrong: str):
    order = await shop.order(sale(arena.seller, ticket(arena.sorteo_id)))
    url = {
        "port": "postgresql://banca_api:x@127.0.0.1:1/nowhere",
        "password": database.api_url.replace("api-of-the-tests", "another"),
        "database": database.api_url + "_no_more",
    }[wrong]
    if wrong == "password" and await trusts(url):
        pytest.skip("this server asks nobody for a password")
    async with open_shop(url) as far_shop:
        [answer] = await far_shop.till.submit_all([order])
        assert isinstance(answer, DatabaseUnavailableError)


async def trusts(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except asyncpg.InvalidPasswordError:
        return False
    return True
