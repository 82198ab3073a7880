"""Cancels at the same time as their sale, and as each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from core.till.cancels import CancelAnswer, Cancelled, CancelledUnsold
from core.till.refusals import Refused
from core.till.sales import SaleAnswer, Sold
from tests.arena import Arena
from tests.pos import new_key
from tests.till.locks import waiting
from tests.till.shop import Shop, sold
from tests.till.state import exposure, findings
from tests.till.tickets import sale, ticket

if TYPE_CHECKING:
    from tests.arena import Owner


async def test_a_sale_and_the_cancel_of_its_key_never_both_stand(owner: Owner, arena: Arena, shops: list[Shop]):
    async def race(place: int) -> tuple[SaleAnswer, CancelAnswer]:
        key = new_key()
        request = sale(arena.sellers[place % 2], ticket(arena.sorteo_id), key=key)
        cancelling = shops[1].cancel(arena.sellers[place % 2], sale_key=key)
        if place % 3 == 0:
            cancel_answer, sale_answer = await asyncio.gather(cancelling, shops[0].sell(request))
        else:
            sale_answer, cancel_answer = await asyncio.gather(shops[0].sell(request), cancelling)
        return sale_answer, cancel_answer

    for sale_answer, cancel_answer in await asyncio.gather(*(race(place) for place in range(60))):
        await assert_not_both(owner, sale_answer, cancel_answer)
    assert await exposure(owner, arena.sorteo_id) == {}
    assert await findings(owner, arena.banca_id) == []


@pytest.mark.parametrize("is_sale_first", [True, False], ids=["sale first", "cancel first"])
async def test_a_sale_and_the_cancel_of_its_key_that_wait_for_one_account_go_in_turn(
    owner: Owner,
    arena: Arena,
    shops: list[Shop],
    intruder: Owner,
    is_sale_first: bool,
):
    key = new_key()
    transaction = intruder.transaction()
    await transaction.start()
    await intruder.execute("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE", arena.seller.id)
    starts: list[Callable[[], asyncio.Future[Any]]] = [
        lambda: asyncio.ensure_future(shops[0].sell(sale(arena.seller, ticket(arena.sorteo_id), key=key))),
        lambda: asyncio.ensure_future(shops[1].cancel(arena.seller, sale_key=key)),
    ]
    order = (0, 1) if is_sale_first else (1, 0)
    tasks: dict[int, asyncio.Future[Any]] = {}
    for calls, which in enumerate(order, 1):
        tasks[which] = starts[which]()
        await waiting(owner, calls=calls)
    await transaction.rollback()
    sale_answer, cancel_answer = await tasks[0], await tasks[1]
    assert isinstance(sale_answer, Sold) is is_sale_first
    await assert_not_both(owner, sale_answer, cancel_answer)
    assert await findings(owner, arena.banca_id) == []


async def assert_not_both(owner: Owner, sale_answer: SaleAnswer, cancel_answer: CancelAnswer) -> None:
    """Either the ticket is cancelled, or its sale is refused."""
    if isinstance(sale_answer, Sold):
        assert isinstance(cancel_answer, Cancelled), cancel_answer
        assert cancel_answer.record.id == sale_answer.record.id
        assert await status_of(owner, sale_answer.record.id) == "CANCELLED"
    else:
        assert sale_answer.code == "CANCELLED_BEFORE_SALE"
        assert isinstance(cancel_answer, CancelledUnsold), cancel_answer


async def status_of(owner: Owner, ticket_id: UUID) -> str:
    status: str = await owner.fetchval("SELECT status FROM tickets WHERE id = $1", ticket_id)
    return status


async def test_a_ticket_that_eight_cancel_at_once_is_cancelled_once(owner: Owner, arena: Arena, shops: list[Shop]):
    request = sale(arena.seller, ticket(arena.sorteo_id, ("07", 300)))
    record = sold(await shops[0].sell(request))
    by_id = [shops[place % 2].cancel(arena.seller, ticket_id=record.id) for place in range(4)]
    by_key = [shops[place % 2].cancel(arena.seller, sale_key=request.key) for place in range(4)]
    answers = await asyncio.gather(*by_id, *by_key)
    assert sum(isinstance(answer, Cancelled) for answer in answers) == 1
    refused = [answer.code for answer in answers if isinstance(answer, Refused)]
    assert refused == ["TICKET_ALREADY_CANCELLED"] * 7
    assert await owner.fetchval("SELECT balance_cents FROM accounts WHERE id = $1", arena.seller.id) == 0
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'tickets.cancelled'") == 1
    assert await findings(owner, arena.banca_id) == []


async def test_one_cancel_sent_eight_times_is_one_answer(owner: Owner, arena: Arena, shops: list[Shop]):
    record, key = sold(await shops[0].sell(sale(arena.seller, ticket(arena.sorteo_id)))), new_key()
    sending = [shops[place % 2].cancel(arena.seller, ticket_id=record.id, key=key) for place in range(8)]
    answers = [answer for answer in await asyncio.gather(*sending) if isinstance(answer, Cancelled)]
    assert len(answers) == 8
    assert {answer.at for answer in answers} == {answers[0].at}
    assert sum(not answer.replayed for answer in answers) == 1
    assert await findings(owner, arena.banca_id) == []
