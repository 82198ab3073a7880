"""One key many times: at once, in one batch, in two processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.domain.permissions import Role
from core.settings import Settings
from core.till.outcomes import Verdict
from core.till.refusals import Refused
from core.till.sales import Sold
from tests.arena import Arena
from tests.pos import new_key
from tests.till.crowd import crowd, sell_through_both
from tests.till.locks import waiting
from tests.till.shop import Shop, answer_bytes, replayed, sold
from tests.till.state import exposure, findings, tickets_count
from tests.till.tickets import actor_for, sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_five_hundred_submissions_of_one_key_are_one_ticket_and_one_answer(
    owner: Owner, arena: Arena, shops: list[Shop]
):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300), ("R07", 100), ("12", 50)))
    answers = await sell_through_both(shops, [request] * 500)
    assert len({answer_bytes(sold(answer)) for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await tickets_count(owner) == 1
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id) == -450
    assert await findings(owner, arena.banca_id) == []


async def test_five_hundred_submissions_of_a_refused_key_are_one_answer(
    owner: Owner, settings: Settings, shops: list[Shop]
):
    arena = await crowd(owner, settings, sellers=1, number_cap_cents=99)
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)))
    answers = await sell_through_both(shops, [request] * 500)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(refused) == 500
    assert {(answer.code, answer.detail, str(answer.violations)) for answer in refused} == {
        (refused[0].code, refused[0].detail, str(refused[0].violations))
    }
    assert sum(not answer.replayed for answer in refused) == 1
    assert await owner.fetchval("SELECT count(*) FROM idempotency") == 1


async def test_one_key_twice_in_one_batch_is_sold_once_when_the_content_is_the_same(
    owner: Owner, arena: Arena, shop: Shop
):
    request = sale(arena.seller, ticket(arena.sorteo_id))
    first, second = await shop.counter.sell_all([request, request])
    assert answer_bytes(sold(first)) == answer_bytes(sold(second))
    assert [replayed(answer) for answer in (first, second)] == [False, True]
    assert await tickets_count(owner) == 1


async def test_one_key_twice_in_one_batch_is_a_mismatch_when_the_content_differs(
    owner: Owner, arena: Arena, shop: Shop
):
    key = new_key()
    first = sale(arena.seller, ticket(arena.sorteo_id, ("07", 100)), key=key)
    second = sale(arena.seller, ticket(arena.sorteo_id, ("08", 100)), key=key)
    answers = await shop.counter.sell_all([first, second, first, second])
    assert [isinstance(answer, Sold) for answer in answers] == [True, False, True, False]
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["IDEMPOTENCY_PAYLOAD_MISMATCH"] * 2
    assert await exposure(owner, arena.sorteo_id) == {7: 100}


async def test_the_same_key_of_two_sellers_is_two_tickets(owner: Owner, arena: Arena, shop: Shop):
    key = new_key()
    requests = [sale(seller, ticket(arena.sorteo_id), key=key) for seller in arena.sellers]
    first, second = [sold(answer) for answer in await shop.counter.sell_all(requests)]
    assert first.id != second.id
    assert await tickets_count(owner) == 2


async def test_a_key_that_two_processes_insert_at_once_is_judged_again(
    owner: Owner, arena: Arena, shop: Shop, other_shop: Shop, intruder: Owner
):
    # One user sells in two sellers' names in two draws: no lock is shared, only the key is.
    actor = actor_for(await arena.add_user(Role.VENTANA), arena.banca_id, arena.seller.terminal)
    draws = [arena.sorteo_id, await arena.add_sorteo(minutes=2_000)]
    key = new_key()
    requests = [
        sale(seller, ticket(draw, vendedor_id=seller.id), key=key, actor=actor)
        for draw, seller in zip(draws, arena.sellers, strict=True)
    ]
    transaction = intruder.transaction()
    await transaction.start()
    # Whoever wants to publish waits here, with its locks and before its key is written.
    await intruder.execute("LOCK TABLE outbox IN SHARE MODE")
    both = [shop.record(requests[:1]), other_shop.record(requests[1:])]
    selling = [asyncio.create_task(one) for one in both]
    await waiting(owner, calls=2)
    await transaction.rollback()
    verdicts = [(await one)[0].verdict for one in selling]
    assert sorted(verdicts) == [Verdict.MISMATCH, Verdict.SOLD]
    assert await tickets_count(owner) == 1
    assert await findings(owner, arena.banca_id) == []
