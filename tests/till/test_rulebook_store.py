"""When the store asks the database for rules: once for all who need them, and as soon as what is known may be old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from core.database import Database
from core.queries import sql
from core.rulebooks import BancaNotFoundError
from tests.arena import Arena
from tests.databases import TestDatabase
from tests.till.shop import Shop, open_shop, sold
from tests.till.tickets import sale, ticket
from tests.till.watched_store import HeldStore, WatchedStore, store_of

if TYPE_CHECKING:
    from tests.arena import Owner

AT_ONCE = 50


class DistrustfulStore(WatchedStore):
    def __init__(self, database: Database) -> None:
        super().__init__(database, age_max_s=0)


class HastyStore(WatchedStore):
    """Its age is due whenever somebody asks, and unlike without trust a look may be shared."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, age_max_s=1e-6)


class DistrustfulHeldStore(HeldStore):
    def __init__(self, database: Database) -> None:
        super().__init__(database, age_max_s=0)


@pytest.fixture
async def held(database: TestDatabase) -> AsyncIterator[HeldStore]:
    async with open_shop(database.api_url, rulebooks=HeldStore) as shop:
        store = held_of(shop)
        yield store
        await store.close()


def held_of(shop: Shop) -> HeldStore:
    assert isinstance(shop.rulebooks, HeldStore)
    return shop.rulebooks


async def change_rules(owner: Owner, arena: Arena, cents: int) -> int:
    """The version that stands then."""
    await owner.execute("UPDATE bancas SET global_max_per_number_cents = $2 WHERE id = $1", arena.banca_id, cents)
    version: int = await owner.fetchval(sql("rulebook/version"), arena.banca_id)
    return version


async def test_without_trust_every_sale_looks_and_none_is_priced_twice(
    owner: Owner, arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
):
    async with open_shop(database.api_url, rulebooks=DistrustfulStore) as shop:
        store = store_of(shop)
        stale = 0
        record = shop.recorder.record

        async def recorded(*arguments: Any, **options: Any) -> Any:
            nonlocal stale
            outcomes = await record(*arguments, **options)
            stale += sum(outcome.verdict == "STALE" for outcome in outcomes)
            return outcomes

        monkeypatch.setattr(shop.recorder, "record", recorded)
        first = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
        for change in range(3):
            looks = store.looks
            await owner.execute("UPDATE bancas SET default_min_bet_cents = $1", change + 1)
            record_of_sale = sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
            assert record_of_sale.rulebook_version == first.rulebook_version + change + 1
            assert store.looks == looks + 1
        assert stale == 0


async def test_sales_at_one_time_whose_age_is_due_look_once(owner: Owner, arena: Arena, database: TestDatabase):
    async with open_shop(database.api_url, rulebooks=HastyStore) as shop:
        store = store_of(shop)
        for cents in (1_000_000, 2_000_000):
            sold(await shop.sell(sale(arena.seller, ticket(arena.sorteo_id))))
            version = await change_rules(owner, arena, cents)
            looks, loads = store.looks, store.loads
            requests = [sale(arena.seller, ticket(arena.sorteo_id)) for _ in range(AT_ONCE)]
            answers = await asyncio.gather(*map(shop.sell, requests))
            assert {sold(answer).rulebook_version for answer in answers} == {version}
            assert (store.looks, store.loads) == (looks + 1, loads + 1)


async def test_after_a_doubt_all_who_ask_share_one_look(arena: Arena, held: HeldStore):
    known = await held.rulebook(arena.banca_id)
    held.doubt()
    asking = [asyncio.create_task(held.rulebook(arena.banca_id)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    # One that hangs up does not take it from the others.
    asking[0].cancel()
    assert {id(rulebook) for rulebook in await asyncio.gather(*asking[1:])} == {id(known)}
    assert (held.looks, held.loads) == (1, 1)


async def test_whoever_looks_every_time_shares_no_look_that_began_before(
    owner: Owner, arena: Arena, database: TestDatabase
):
    async with open_shop(database.api_url, rulebooks=DistrustfulHeldStore) as shop:
        store = held_of(shop)
        old = await store.rulebook(arena.banca_id)
        store.looks_may_end.clear()
        early = asyncio.create_task(store.rulebook(arena.banca_id))
        await store.next_read()
        version = await change_rules(owner, arena, 7)
        late = asyncio.create_task(store.rulebook(arena.banca_id))
        await asyncio.sleep(0)
        store.looks_may_end.set()
        assert (await early).version == old.version
        assert (await late).version == version


async def test_a_rulebook_that_a_sale_had_read_again_serves_without_a_look(owner: Owner, arena: Arena, held: HeldStore):
    old = await held.rulebook(arena.banca_id)
    version = await change_rules(owner, arena, 7)
    assert (await held.rulebook(arena.banca_id)).version == old.version, "nobody told it"
    again = await asyncio.gather(*(held.reload(arena.banca_id, older_than=old.version) for _ in range(AT_ONCE)))
    assert {rulebook.version for rulebook in again} == {version}
    assert (await held.rulebook(arena.banca_id)).version == version
    assert (await held.reload(arena.banca_id, older_than=old.version)).version == version
    assert (held.looks, held.loads) == (0, 2)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
async def test_what_is_said_while_rules_are_read_holds_when_they_were_read(
    owner: Owner, arena: Arena, held: HeldStore, is_first: bool, is_told: bool
):
    """By a notice, or by a doubt whether one was missed."""
    old = None if is_first else await held.rulebook(arena.banca_id)
    held.loads_may_end.clear()
    reading = asyncio.create_task(
        held.rulebook(arena.banca_id) if old is None else held.reload(arena.banca_id, older_than=old.version)
    )
    await held.next_read()
    version = await change_rules(owner, arena, 7)
    if is_told:
        held.notice(arena.banca_id, version)
    else:
        held.doubt()
    held.loads_may_end.set()
    assert (await reading).version == version - 1
    assert (await held.rulebook(arena.banca_id)).version == version


@pytest.mark.parametrize("began_with", ["a sale", "a notice"])
async def test_whoever_asks_after_a_notice_is_not_given_what_was_read_before_it(
    owner: Owner, arena: Arena, held: HeldStore, began_with: str
):
    old = await held.rulebook(arena.banca_id)
    held.loads_may_end.clear()
    if began_with == "a notice":
        held.notice(arena.banca_id, old.version + 1)
        early = None
    else:
        early = asyncio.create_task(held.reload(arena.banca_id, older_than=old.version))
    await held.next_read()
    version = await change_rules(owner, arena, 7)
    held.notice(arena.banca_id, version)
    asking = [asyncio.create_task(held.rulebook(arena.banca_id)) for _ in range(AT_ONCE)]
    # They looked; the load is still under way.
    await held.next_read()
    held.loads_may_end.set()
    assert {rulebook.version for rulebook in await asyncio.gather(*asking)} == {version}
    assert early is None or (await early).version == old.version
    assert (held.looks, held.loads, held.loads_at_once) == (1, 3, 1)


async def test_notices_that_follow_one_another_join_the_load_under_way(owner: Owner, arena: Arena, held: HeldStore):
    await held.rulebook(arena.banca_id)
    held.loads_may_end.clear()
    held.notice(arena.banca_id, await change_rules(owner, arena, 1))
    await held.next_read()
    for cents in range(2, 12):
        version = await change_rules(owner, arena, cents)
        held.notice(arena.banca_id, version)
    held.loads_may_end.set()
    assert (await held.rulebook(arena.banca_id)).version == version
    assert (await held.rulebook(arena.banca_id)).global_max_per_number_cents == 11
    assert (held.loads_at_once, held.loads, held.looks) == (1, 3, 1)


async def test_a_notice_of_a_version_that_never_comes_is_not_believed_for_ever(arena: Arena, held: HeldStore):
    known = await held.rulebook(arena.banca_id)
    held.notice(arena.banca_id, known.version + 9)
    for _ in range(3):
        assert (await held.rulebook(arena.banca_id)).version == known.version
    assert (held.looks, held.loads) == (0, 2)


async def test_a_banca_that_is_not_there_is_asked_for_again(held: HeldStore):
    for _ in range(2):
        with pytest.raises(BancaNotFoundError):
            await held.rulebook(uuid4())


async def test_a_draw_that_is_not_there_is_asked_for_again(arena: Arena, held: HeldStore):
    rulebook, sorteo_id = await held.rulebook(arena.banca_id), uuid4()
    assert await asyncio.gather(*(held.draw(rulebook, sorteo_id) for _ in range(AT_ONCE))) == [None] * AT_ONCE
    assert held.draw_reads == 1
    assert await held.draw(rulebook, sorteo_id) is None
    assert held.draw_reads == 2


async def test_a_draw_that_is_not_there_takes_no_place_of_one_that_is(
    arena: Arena, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("core.rulebooks.DRAWS_MAX", 1)
    async with open_shop(database.api_url, rulebooks=HeldStore) as shop:
        store = held_of(shop)
        rulebook = await store.rulebook(arena.banca_id)
        for sorteo_id in (arena.sorteo_id, uuid4(), arena.sorteo_id):
            await store.draw(rulebook, sorteo_id)
        assert store.draw_reads == 2


async def test_a_store_that_closes_leaves_no_read_behind(arena: Arena, held: HeldStore):
    known = await held.rulebook(arena.banca_id)
    held.loads_may_end.clear()
    held.notice(arena.banca_id, known.version + 1)
    await held.next_read()
    await held.close()
    assert held.loads_under_way == 0
